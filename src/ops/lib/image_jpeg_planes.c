// JPEG behind the entropy decoder: inverse transform, upsampling, colors.
#include "ops/lib/image_jpeg.h"

static uint8_t clamp(int64_t value) { return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value); }

// --- inverse transform ---

// Cosines and their sums, times 2^13.
enum {
    F_0_298 = 2446,
    F_0_390 = 3196,
    F_0_541 = 4433,
    F_0_765 = 6270,
    F_0_899 = 7373,
    F_1_175 = 9633,
    F_1_501 = 12299,
    F_1_847 = 15137,
    F_1_961 = 16069,
    F_2_053 = 16819,
    F_2_562 = 20995,
    F_3_072 = 25172
};

// Eight values, `step` apart, in place; the results are divided by 2^shift and rounded.
static void inverse_8(int64_t *v, size_t step, int shift) {
    const int64_t common = (v[2 * step] + v[6 * step]) * F_0_541;
    const int64_t low = common - v[6 * step] * F_1_847, high = common + v[2 * step] * F_0_765;
    const int64_t sum = (v[0] + v[4 * step]) * (1 << 13), difference = (v[0] - v[4 * step]) * (1 << 13);
    const int64_t even[4] = {sum + high, difference + low, difference - low, sum - high};

    const int64_t a = v[7 * step], b = v[5 * step], c = v[3 * step], d = v[step];
    const int64_t z5 = (a + c + b + d) * F_1_175;
    const int64_t z1 = (a + d) * -F_0_899, z2 = (b + c) * -F_2_562;
    const int64_t z3 = (a + c) * -F_1_961 + z5, z4 = (b + d) * -F_0_390 + z5;
    const int64_t odd[4] = {d * F_1_501 + z1 + z4, c * F_3_072 + z2 + z3, b * F_2_053 + z2 + z4,
                            a * F_0_298 + z1 + z3};

    const int64_t half = INT64_C(1) << (shift - 1);
    for (size_t i = 0; i < 4; i++) {
        v[i * step] = (even[i] + odd[i] + half) >> shift;
        v[(7 - i) * step] = (even[i] - odd[i] + half) >> shift;
    }
}

void oq_jpeg_inverse(const int64_t coefficients[64], uint8_t *samples, size_t stride) {
    int64_t v[64];
    for (size_t i = 0; i < 64; i++) v[i] = coefficients[i];
    for (size_t x = 0; x < 8; x++) inverse_8(v + x, 8, 11); // 2 bits of fraction stay
    for (size_t y = 0; y < 8; y++) {
        inverse_8(v + 8 * y, 1, 18);
        for (size_t x = 0; x < 8; x++) samples[y * stride + x] = clamp(v[8 * y + x] + 128);
    }
}

// --- upsampling: the centers of new pixels lie 1/4 and 3/4 of the way between old ones ---

// The row at distance 1/4 and, next to it, the one at 3/4; halves are rounded up and down in turns.
static void blend_rows(const uint8_t *near, const uint8_t *far, size_t n, unsigned bias, uint8_t *row) {
    for (size_t x = 0; x < n; x++) row[x] = (uint8_t)((near[x] * 3U + far[x] + bias) >> 2);
}

// Column x of both rows together, times 4; of one row alone (near == far) the same.
static unsigned column(const uint8_t *near, const uint8_t *far, size_t x) { return near[x] * 3U + far[x]; }

// Twice as many pixels from n > 2 columns, each weighted 3 : 1 with its neighbour.
static void widen(const uint8_t *near, const uint8_t *far, size_t n, uint8_t *row) {
    for (size_t x = 0; x < n; x++) {
        const unsigned here = column(near, far, x);
        const unsigned before = x ? column(near, far, x - 1) : here;
        const unsigned behind = x + 1 < n ? column(near, far, x + 1) : here;
        row[2 * x] = (uint8_t)((here * 3 + before + 8) >> 4);
        row[2 * x + 1] = (uint8_t)((here * 3 + behind + 7) >> 4);
    }
}

// The same from one row: other halves are rounded up.
static void widen_row(const uint8_t *from, size_t n, uint8_t *row) {
    for (size_t x = 0; x < n; x++) {
        row[2 * x] = (uint8_t)(x ? (from[x] * 3U + from[x - 1] + 1) >> 2 : from[x]);
        row[2 * x + 1] = (uint8_t)(x + 1 < n ? (from[x] * 3U + from[x + 1] + 2) >> 2 : from[x]);
    }
}

void oq_jpeg_upsample_row(const oq_jpeg_plane *plane, size_t y, uint8_t *row) {
    const size_t at = y / plane->down, n = plane->width;
    const size_t other = y % 2 ? oq_min_size(at + 1, plane->height - 1) : at - (at > 0);
    const uint8_t *near = plane->samples + at * plane->stride;
    const uint8_t *far = plane->samples + other * plane->stride;
    const bool wide = plane->across == 2 && n > 2;
    if (wide && plane->down == 2) {
        widen(near, far, n, row);
    } else if (wide && plane->down == 1) {
        widen_row(near, n, row);
    } else if (plane->across == 1 && plane->down == 2) {
        blend_rows(near, far, n, y % 2 ? 2 : 1, row);
    } else {
        for (size_t x = 0; x < n * plane->across; x++) row[x] = near[x / plane->across];
    }
}

// --- colors ---

void oq_jpeg_color(uint8_t y, uint8_t cb, uint8_t cr, uint8_t rgb[3]) {
    const int blue = cb - 128, red = cr - 128, half = 1 << 15; // factors times 2^16
    rgb[0] = clamp(y + ((91881 * red + half) >> 16));
    rgb[1] = clamp(y + ((-22554 * blue - 46802 * red + half) >> 16));
    rgb[2] = clamp(y + ((116130 * blue + half) >> 16));
}
