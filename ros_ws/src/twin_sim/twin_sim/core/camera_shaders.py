"""GLSL of the camera's scene. Passes: shadow, surface (what is seen), sky, light.

Light is in units of what a white wall gets under the present exposure; colours are linear up to the light pass,
which exposes them for display. Each program comes in variants (``#define``), since a software renderer runs both
sides of a branch.
"""

from __future__ import annotations

#: Lamps and headlights that the shaders look at, at most.
LAMPS, HEADS = 32, 24


def variant(source: str, *names: str) -> str:
    """Return a shader with some of its variants switched on."""
    defines = "".join(f"#define {name}\n" for name in names)
    return source.replace("#version 430\n", f"#version 430\n{defines}", 1)


HASH = """
uint mixed(uint x) { x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x *= 0x846ca68bu; return x ^ (x >> 16); }
float chance(uint x) { return float(mixed(x) >> 8) / 16777216.0; }
"""

#: Needs shadow_from_map and spread (softness, in parts of the map).
_SHADOW = """
float unshaded(sampler2DShadow map, vec3 place, float slack) {
    vec3 p = (shadow_from_map * vec4(place, 1.0)).xyz * 0.5 + 0.5;
    if (any(lessThan(p.xy, vec2(0.01))) || any(greaterThan(p.xy, vec2(0.99)))) return 1.0;
    p.z -= slack;
#ifdef SUNNY
    return 0.5 * (texture(map, p + vec3(-spread, -spread * 0.4, 0)) + texture(map, p + vec3(spread, spread * 0.4, 0)));
#endif
    return 0.25 * (texture(map, p + vec3(-spread, -spread * 0.4, 0)) + texture(map, p + vec3(spread * 0.4, -spread, 0))
        + texture(map, p + vec3(spread, spread * 0.4, 0)) + texture(map, p + vec3(-spread * 0.4, spread, 0)));
}
"""

SHADOW_VERTEX = """
#version 430
in vec3 in_position;
uniform mat4 shadow_from_map;
void main() { gl_Position = shadow_from_map * vec4(in_position, 1.0); }
"""

SHADOW_FRAGMENT = """
#version 430
void main() {}
"""

SURFACE_VERTEX = """
#version 430
in vec3 in_position;
#ifndef MOVING
in ivec3 in_labels;
flat out ivec3 labels;
#endif
uniform mat4 clip_from_away;
uniform vec3 eye;
out vec3 away;
void main() {
    away = in_position - eye;
#ifndef MOVING
    labels = in_labels;
#endif
    gl_Position = clip_from_away * vec4(away, 1.0);
}
"""

SURFACE_FRAGMENT = (
    """
#version 430
in vec3 away;
// Labels: material; seed, with the kind of object in bits 24 and 25; index of the actor; light of lamps if it moves.
#ifdef MOVING
layout(std430, binding = 0) readonly buffer Labels { ivec4 labels_of_triangles[]; };
#else
flat in ivec3 labels;
#endif
layout(location = 0) out vec4 o_albedo;  // square roots: colour; a: emission / 4
layout(location = 1) out vec4 o_normal;  // a: roughness
layout(location = 2) out vec4 o_light;   // square roots: light of lamps / 4; a: share of the direct light
layout(location = 3) out int o_id;
uniform vec3 eye;
uniform sampler2DArray tiles;
uniform sampler2D surfaces;
uniform sampler2D palette;
uniform sampler2DShadow still_shadow;
uniform mat4 shadow_from_map;
uniform vec3 direct;
uniform float spread;
uniform float wet;
uniform int lamp_count;
uniform vec4 lamps[LAMPS];
"""
    + HASH
    + _SHADOW
    + """
#if defined(NIGHT) && !defined(MOVING)
vec3 lamplight(vec3 place, vec3 normal) {
    vec3 sum = vec3(0);
    for (int i = 0; i < lamp_count; i++) {
        vec3 way = lamps[i].xyz - place;
        float d2 = dot(way, way);
        float d = sqrt(d2);
        float down = clamp(way.z / d * 1.25 - 0.1, 0.0, 1.0);
        float facing = max(dot(way, normal) / d, 0.0) * 0.85 + 0.15;
        sum += lamps[i].w * down * facing / (1.0 + d2 / 36.0) * vec3(1.0, 0.86, 0.66);
    }
    return sum;
}
#endif

void main() {
#ifdef MOVING
    ivec4 labels = labels_of_triangles[gl_PrimitiveID];
#endif
    vec3 normal = normalize(cross(dFdx(away), dFdy(away)));
    if (dot(normal, away) > 0.0) normal = -normal;
    vec3 place = away + eye;
    vec4 surface = texelFetch(surfaces, ivec2(labels.x, 0), 0);
    uint seed = uint(labels.y & 0xffffff);
    vec4 paint = texelFetch(palette, ivec2(int(mixed(seed * 31u + uint(labels.x)) & 15u), labels.x), 0);
    vec3 albedo = paint.rgb;
    float emission = paint.a;
    float roughness = surface.z;
#ifndef MOVING
    bool upward = normal.z > 0.7;
    vec2 level = normalize(vec2(-normal.y, normal.x) + vec2(1e-6, 0));
    vec2 along = upward ? place.xy : vec2(dot(place.xy, level), place.z);
    vec3 texel = texture(tiles, vec3(along * surface.y, surface.x)).rgb * 2.0;
    albedo *= texel * texel;
    if (surface.w > 1.5) albedo *= 0.6 + 0.8 * texture(tiles, vec3(along.yx * 0.037, surface.x)).r;
#ifdef NIGHT
    float lit = 1.0;
#else
    float lit = 0.12;  // lamps and signs hardly show by day
#endif
    emission *= lit * (surface.x > 0.5 ? min(texel.g, 1.0) : 1.0);
    if (surface.w > 0.5 && surface.w < 1.5 && (labels.y >> 24) == 1) {  // glass of a building: a room behind it
        vec2 cell = floor(along / vec2(3.4, 3.3));
        uint room = mixed(uint(int(cell.x) * 7919 + int(cell.y) * 104729 + int(seed)));
        float blind = chance(room + 3u) * 0.8, up = fract(along.y / 3.3);
        albedo = mix(albedo, vec3(0.40, 0.38, 0.34), up > 1.0 - blind && place.z > 4.5 ? 0.5 : 0.0);
        if (emission > 0.0) {
            albedo = mix(vec3(1.0, 0.74, 0.44), vec3(0.85, 0.92, 1.0), chance(room + 2u));
            emission *= 0.35 + 0.65 * chance(room + 1u);
        }
    }
#ifdef WET
    if (upward && surface.w > 1.5) {
        float puddle = smoothstep(0.50, 0.56, texture(tiles, vec3(place.xy * 0.05, 2.0)).r);
        albedo *= mix(1.0, 0.55, wet);
        roughness = mix(roughness, mix(0.24, 0.06, puddle), wet);
    }
#endif
#endif
    o_albedo = vec4(sqrt(albedo), sqrt(emission * 0.25));
    o_normal = vec4(normal * 0.5 + 0.5, roughness);
    float share = dot(normal, direct) > 0.0 ? unshaded(still_shadow, place + normal * 0.10, 1e-4) : 0.0;
#if defined(NIGHT) && defined(MOVING)
    vec3 lamps_light = float(labels.w) / 1024.0 * (0.45 + 0.45 * max(normal.z, 0.0)) * vec3(1.0, 0.86, 0.66);
    o_light = vec4(sqrt(lamps_light * 0.25), share);
#elif defined(NIGHT)
    o_light = vec4(sqrt(lamplight(place, normal) * 0.25), share);
#else
    o_light = vec4(0.0, 0.0, 0.0, share);
#endif
    o_id = labels.z;
}
"""
).replace("LAMPS", str(LAMPS))

SCREEN_VERTEX = """
#version 430
in vec2 in_corner;
void main() { gl_Position = vec4(in_corner, 1.0, 1.0); }
"""

_VIEW = """
uniform mat3 map_from_optical;
uniform vec4 ray;         // 1/fx, 1/fy, -cx/fx, -cy/fy
uniform vec3 zenith;
uniform vec3 horizon;
uniform vec3 air;
uniform float extinction;
uniform float exposure;
vec3 optical() { return vec3(floor(gl_FragCoord.xy) * ray.xy + ray.zw, 1.0); }
vec4 exposed(vec3 colour) { return vec4(sqrt(1.12 * colour / (colour + 1.0 / exposure)), 1.0); }
"""

SKY_FRAGMENT = (
    """
#version 430
layout(location = 0) out vec4 o_colour;
uniform vec3 sun;
uniform vec3 sun_colour;
uniform float clouds;
uniform sampler2DArray tiles;
"""
    + _VIEW
    + """
void main() {
    vec3 way = normalize(map_from_optical * optical());
    float up = max(way.z, 0.0);
    vec3 colour = mix(horizon, zenith, sqrt(up));
    float glare = max(dot(way, sun), 0.0);
    colour += sun_colour * (pow(glare, 400.0) * 6.0 + 0.12 * pow(glare, 12.0));
#ifdef CLOUDS
    vec2 at = way.xy / (up + 0.12);
    float cover = texture(tiles, vec3(at * 0.05, 3.0)).r + texture(tiles, vec3(at.yx * 0.13, 3.0)).r - 0.98;
    colour = mix(colour, horizon * 1.12, clouds * smoothstep(0.0, 0.06, cover) * min(up * 5.0, 1.0));
#endif
    colour = mix(colour, air, 1.0 - exp(-extinction * 1500.0 * (1.0 - 0.75 * up)));
    o_colour = exposed(colour);
}
"""
)

LIGHT_FRAGMENT = (
    """
#version 430
layout(location = 0) out vec4 o_colour;
uniform sampler2D albedos, normals, lights, depths;
uniform sampler2DShadow moving_shadow;
uniform mat4 shadow_from_map;
uniform vec3 eye;
uniform vec2 near_far;
uniform vec3 direct;
uniform vec3 direct_colour;
uniform vec3 sky_light, ground_light;
uniform float spread;
uniform float glow;
uniform int head_count;
uniform vec4 heads[HEADS];
uniform vec3 head_ways[HEADS];
"""
    + HASH
    + _VIEW
    + _SHADOW
    + """
vec3 around(vec3 way) {  // what a mirror shows: sky, or a row of dark houses, or the ground
    int block = int(floor(way.x * 5.0)) * 57 + int(floor(way.y * 5.0)) + 997;
    float roof = 0.12 + 0.28 * chance(uint(block));
    vec3 above = mix(horizon, zenith, sqrt(max(way.z, 0.0)));
    above = mix(horizon * 0.30, above, smoothstep(roof - 0.02, roof + 0.02, way.z));
    return way.z < 0.0 ? ground_light * 0.35 : above;
}

#ifdef NIGHT
vec3 headlight(vec3 place, vec3 normal) {
    vec3 sum = vec3(0);
    for (int i = 0; i < head_count; i++) {
        vec3 way = place - heads[i].xyz;
        float d2 = dot(way, way);
        float d = sqrt(d2);
        float beam = smoothstep(0.86, 0.985, dot(way, head_ways[i]) / d);
        sum += beam * heads[i].w * (max(-dot(way, normal) / d, 0.0) * 0.9 + 0.1) / (1.0 + d2 / 60.0);
    }
    return sum * vec3(1.0, 0.97, 0.90);
}
#endif

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    float depth = texelFetch(depths, at, 0).r;
    vec4 a = texelFetch(albedos, at, 0), n = texelFetch(normals, at, 0), l = texelFetch(lights, at, 0);
    vec3 seen = optical();
    float z = near_far.x * near_far.y / (near_far.y - depth * (near_far.y - near_far.x));
    vec3 span = map_from_optical * (seen * z);
    float distance = length(span);
    vec3 way = span / distance;
    vec3 place = eye + span;
    vec3 normal = normalize(n.xyz * 2.0 - 1.0);
    vec3 albedo = a.rgb * a.rgb;
    float share = l.a * unshaded(moving_shadow, place, -2e-5), facing = max(dot(normal, direct), 0.0);
    vec3 light = direct_colour * facing * share + mix(ground_light, sky_light, normal.z * 0.5 + 0.5);
#ifdef NIGHT
    light += l.rgb * l.rgb * 4.0 * (0.45 + 0.55 * share) + headlight(place, normal);
#endif
    vec3 colour = albedo * (light + a.a * a.a * 4.0 * glow);
    float gloss = max(1.0 - 2.0 * n.a, 0.0), back = 1.0 - max(-dot(normal, way), 0.0), back2 = back * back;
    vec3 bounce = reflect(way, normal);
    float mirror = (0.06 + 0.94 * back2 * back2 * back) * gloss;
    colour = mix(colour, around(bounce), min(mirror, 0.9));
    float flash = max(dot(bounce, direct), 0.0);
    flash *= flash; flash *= flash; flash *= flash; flash *= flash; flash *= flash;
    colour += direct_colour * (share * flash * flash * gloss);
    o_colour = exposed(mix(colour, air, 1.0 - exp(-extinction * distance)));
}
"""
).replace("HEADS", str(HEADS))
