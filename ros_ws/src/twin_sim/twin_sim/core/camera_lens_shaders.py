"""GLSL of the camera's lens and sensor: glow of lamps, smoothing, drops, streaks of rain, noise."""

from __future__ import annotations

from twin_sim.core.camera_shaders import HASH

GLOW_VERTEX = """
#version 430
in vec3 in_position;
in vec4 in_colour;  // a: size, metres
uniform mat4 clip_from_away;
uniform vec3 eye;
uniform vec2 size;
uniform float scale;
uniform vec2 near_far;
uniform sampler2D depths;
out vec3 colour;
float metres(float depth) {
    return near_far.x * near_far.y / (near_far.y - depth * (near_far.y - near_far.x));
}
void main() {
    gl_Position = clip_from_away * vec4(in_position - eye, 1.0);
    vec2 at = (gl_Position.xy / gl_Position.w * 0.5 + 0.5) * size;
    colour = vec3(0.0);
    gl_PointSize = 1.0;
    if (gl_Position.w > near_far.x && all(greaterThanEqual(at, vec2(0.0))) && all(lessThan(at, size))) {
        float open = 0.0;
        for (int i = 0; i < 4; i++) {
            ivec2 tap = clamp(ivec2(at) + ivec2(i % 2, i / 2) * 2 - 1, ivec2(0), ivec2(size) - 1);
            float wall = metres(texelFetch(depths, tap, 0).r);
            open += wall > gl_Position.w - 0.45 ? 0.25 : 0.0;
        }
        colour = in_colour.rgb * open;
        gl_PointSize = clamp(in_colour.a * scale / gl_Position.w, 3.0, 160.0);
    }
}
"""

GLOW_FRAGMENT = """
#version 430
in vec3 colour;
layout(location = 0) out vec4 o_colour;
void main() {
    vec2 from = gl_PointCoord * 2.0 - 1.0;
    float r2 = dot(from, from);
    if (r2 > 1.0) discard;
    float shine = exp(-40.0 * r2) + 0.30 * (1.0 - r2) * (1.0 - r2) * exp(-3.0 * r2);
    o_colour = vec4(min(colour * shine, vec3(1.0)), 1.0);
}
"""

DEVELOP_FRAGMENT = (
    """
#version 430
layout(location = 0) out vec4 o_colour;
uniform sampler2D picture, warp, lens, grain;
uniform float lens_drops;
uniform vec2 size;         // of the picture
uniform vec2 out_size;
uniform vec2 noise;        // at black, at white
uniform ivec2 noise_shift;
uniform float rain;
uniform uint moment;
uniform vec3 streak_colour;
"""
    + HASH
    + """
float bright(vec3 c) { return dot(c, vec3(0.3, 0.6, 0.1)); }

#ifdef RAIN
float streaks(vec2 at) {
    float sum = 0.0;
    for (uint layer = 0u; layer < 3u; layer++) {
        float wide = 90.0 + 110.0 * float(layer), tall = 3.0 + 2.0 * float(layer);
        uint frame = mixed(moment * 3u + layer);
        vec2 p = vec2((at.x + 0.04 * at.y + chance(frame)) * wide, at.y);
        uint column = mixed(uint(int(floor(p.x))) + frame);
        float y = at.y * tall + chance(column) * 7.0;
        uint cell = mixed(column + uint(int(floor(y))) * 131u);
        float on = step(chance(cell), 0.16 * rain);
        float across = 1.0 - abs(fract(p.x) - 0.5) * 2.0;
        float along = smoothstep(0.0, 0.35, fract(y)) * smoothstep(1.0, 0.65, fract(y));
        sum += on * across * along * (0.28 - 0.06 * float(layer));
    }
    return sum;
}
#endif

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
#if defined(WARPED) || defined(RAIN)
    vec2 source = gl_FragCoord.xy;
#ifdef WARPED
    source = texelFetch(warp, pixel, 0).rg + 0.5;
#endif
#ifdef RAIN
    vec3 drop = texelFetch(lens, pixel, 0).rgb;
    source += drop.rg * lens_drops;
#endif
    vec2 step = 1.0 / size, at = source * step;
    vec3 here = texture(picture, at).rgb;
    vec3 left = texture(picture, at - step * vec2(1, 0)).rgb, right = texture(picture, at + step * vec2(1, 0)).rgb;
    vec3 above = texture(picture, at - step * vec2(0, 1)).rgb, below = texture(picture, at + step * vec2(0, 1)).rgb;
#else
    ivec2 last = ivec2(size) - 1;
    vec3 here = texelFetch(picture, pixel, 0).rgb;
    vec3 left = texelFetch(picture, max(pixel - ivec2(1, 0), ivec2(0)), 0).rgb;
    vec3 right = texelFetch(picture, min(pixel + ivec2(1, 0), last), 0).rgb;
    vec3 above = texelFetch(picture, max(pixel - ivec2(0, 1), ivec2(0)), 0).rgb;
    vec3 below = texelFetch(picture, min(pixel + ivec2(0, 1), last), 0).rgb;
#endif
    // Edges are blended with the two neighbours that lie more along them than across them.
    float across = abs(bright(left) - bright(right)), down = abs(bright(above) - bright(below));
    vec3 beside = across > down ? above + below : left + right;
    float edge = smoothstep(0.03, 0.15, max(across, down));
    vec3 colour = mix(here, 0.4 * here + 0.3 * beside, edge);
#ifdef RAIN
    colour = mix(colour, 0.25 * (left + right + above + below) * 1.12 + 0.02, drop.b * lens_drops);
    colour = mix(colour, streak_colour, streaks(gl_FragCoord.xy / out_size.y));
#endif
    vec2 middle = gl_FragCoord.xy / out_size - 0.5;
    colour *= 1.0 - 0.30 * dot(middle, middle);
    vec4 dice = texelFetch(grain, (pixel + noise_shift) & 511, 0) * 7.96875 - 4.0;
    colour += (0.7 * dice.rgb + 0.7 * dice.a) * (noise.x + (noise.y - noise.x) * colour);
    o_colour = vec4(colour, 1.0);
}
"""
)
