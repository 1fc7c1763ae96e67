// A Foxglove client for tests: reads a scene and a track array, calls a service, and tells what it got.
//   node client.mjs ws://HOST:PORT  →  one JSON object on stdout
import protocol from "@foxglove/ws-protocol"; // a CommonJS module
import WebSocket from "ws";

const SCENE = "/scene";
const TRACKS = "/district/tracks";
const ALERTS = "/alerts_open";
const ACKNOWLEDGE = "/district/dispatcher/acknowledge";
const PRIMITIVES = { 7: "arrows", 8: "cubes", 10: "cylinders", 11: "lines", 12: "triangles", 13: "texts" };
const TIMEOUT_MS = 20000;

/** The fields of a protobuf message: [number, value], where value is a number or bytes. */
function* fields(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  };
  while (at < bytes.length) {
    const key = varint();
    switch (key & 7) {
      case 0:
        yield [key >> 3, varint()];
        break;
      case 1:
        yield [key >> 3, view.getFloat64(at, true)];
        at += 8;
        break;
      case 2: {
        const size = varint();
        yield [key >> 3, bytes.subarray(at, at + size)];
        at += size;
        break;
      }
      default:
        throw new Error(`wire type ${key & 7}`);
    }
  }
}

/** How many of which primitives each entity of a foxglove.SceneUpdate has. */
function decodeScene(bytes) {
  const scene = {};
  for (const [number, entity] of fields(bytes)) {
    if (number !== 2) continue;
    const counts = {};
    let name = "";
    for (const [field, value] of fields(entity)) {
      if (field === 3) name = new TextDecoder().decode(value);
      const kind = PRIMITIVES[field];
      if (kind) counts[kind] = (counts[kind] ?? 0) + 1;
    }
    scene[name] = counts;
  }
  return scene;
}

/** Header and number of tracks of a twin_msgs/TrackArray in CDR. */
function decodeTracks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset + 4, bytes.byteLength - 4);
  const length = view.getUint32(8, true);
  const frame = new TextDecoder().decode(bytes.subarray(16, 16 + length - 1));
  return { sec: view.getInt32(0, true), frame, count: view.getUint32(Math.ceil((12 + length) / 4) * 4, true) };
}

const found = { channels: {} };
const client = new protocol.FoxgloveClient({ ws: new WebSocket(process.argv[2], ["foxglove.sdk.v1"]) });
const subscriptions = new Map();

function finishWhenComplete() {
  if (found.scene && found.ground && found.tracks && found.acknowledged && found.unknown && found.refused) {
    console.log(JSON.stringify(found));
    client.close();
    process.exit(0);
  }
}

function call(service, callId, request) {
  const data = new DataView(new TextEncoder().encode(JSON.stringify(request)).buffer);
  client.sendServiceCallRequest({ serviceId: service.id, callId, encoding: "json", data });
}

client.on("error", (error) => {
  console.error(error.message ?? error);
  process.exit(1);
});
client.on("advertise", (channels) => {
  for (const channel of channels) {
    const { topic, encoding, schemaName, schemaEncoding, schema } = channel;
    found.channels[topic] = { encoding, schemaName, schemaEncoding, schemaLength: schema.length };
    if ([SCENE, TRACKS, ALERTS].includes(topic)) subscriptions.set(client.subscribe(channel.id), topic);
  }
});
let service;
let called = false;
client.on("advertiseServices", (services) => {
  service = services.find(({ name }) => name === ACKNOWLEDGE);
});
client.on("message", ({ subscriptionId, data }) => {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const topic = subscriptions.get(subscriptionId);
  if (topic === SCENE) {
    const scene = decodeScene(bytes);
    // Topics are discovered one after the other: take the first scene that all of them are in.
    if (scene.predictions?.lines && scene.incidents?.cylinders) found.scene ??= scene;
    if (scene.ground) found.ground = scene.ground;
  } else if (topic === TRACKS) {
    found.tracks = decodeTracks(bytes);
  } else if (JSON.parse(new TextDecoder().decode(bytes)).alerts.length > 0 && service && !called) {
    called = true;
    call(service, 1, { alert_id: "latest", operator_name: "node", note: "seen" });
    call(service, 2, { alert_id: "no such alert", operator_name: "node" });
    call(service, 3, { alert: 1 });
  }
  finishWhenComplete();
});
client.on("serviceCallResponse", ({ callId, data }) => {
  const answer = JSON.parse(new TextDecoder().decode(data));
  if (callId === 1) found.acknowledged = answer;
  if (callId === 2) found.unknown = answer;
  finishWhenComplete();
});
client.on("serviceCallFailure", ({ callId, message }) => {
  if (callId === 3) found.refused = message;
  finishWhenComplete();
});
setTimeout(() => {
  console.error(`not within ${TIMEOUT_MS} ms: ${JSON.stringify({ ...found, channels: Object.keys(found.channels).length })}`);
  process.exit(1);
}, TIMEOUT_MS);
