// Convolutions against naive sums in 1 to 3 dimensions, grouped, depthwise, strided, dilated, padded; the
// same bits from every instruction set and number of threads.
#include "kernels/conv.h"

#include "kernels/tables.h"

typedef struct place {
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
} place;

static place place_of(const oq_conv_shape *s) {
    place p;
    for (int d = 0; d < 3; d++) {
        const int from = d - (3 - s->spatial);
        p.in[d] = from < 0 ? 1 : (int64_t)s->in[from];
        p.out[d] = from < 0 ? 1 : (int64_t)s->out[from];
        p.kernel[d] = from < 0 ? 1 : (int64_t)s->kernel[from];
        p.stride[d] = from < 0 ? 1 : (int64_t)s->stride[from];
        p.dilation[d] = from < 0 ? 1 : (int64_t)s->dilation[from];
        p.pad[d] = from < 0 ? 0 : (int64_t)s->pad[from];
    }
    return p;
}

static size_t product(const size_t *sizes, int count) {
    size_t n = 1;
    for (int i = 0; i < count; i++) n *= sizes[i];
    return n;
}

// The input element that output pixel `pixel` meets at kernel position `tap`, or -1 in the padding.
static int64_t met(const place *p, int64_t pixel, int64_t tap) {
    int64_t at[3], index = 0;
    for (int d = 2; d >= 0; d--) {
        at[d] = pixel % p->out[d] * p->stride[d] + tap % p->kernel[d] * p->dilation[d] - p->pad[d];
        pixel /= p->out[d], tap /= p->kernel[d];
    }
    for (int d = 0; d < 3; d++) {
        if (at[d] < 0 || at[d] >= p->in[d]) return -1;
        index = index * p->in[d] + at[d];
    }
    return index;
}

// Random geometry; every third one depthwise, some pointwise, the first ones the shapes of known networks.
static oq_conv_shape random_shape(int round) {
    static const oq_conv_shape known[] = {
        {2, 1, 3, 8, {15, 17}, {7, 8}, {3, 3}, {2, 2}, {1, 1}, {0, 0}},
        {2, 20, 20, 20, {14, 14}, {14, 14}, {5, 5}, {1, 1}, {1, 1}, {2, 2}},
        {2, 6, 6, 6, {33, 70}, {17, 35}, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
        {2, 1, 300, 40, {7, 10}, {7, 10}, {1, 1}, {1, 1}, {1, 1}, {0, 0}},
        {2, 2, 2, 2, {130, 150}, {130, 150}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
        {1, 1, 4, 5, {40}, {0}, {50}, {1}, {1}, {2}},
        {2, 3, 3, 3, {40, 1200}, {18, 1176}, {3, 3}, {2, 1}, {2, 12}, {0, 0}},
        {2, 2, 2, 2, {40, 3000}, {40, 1}, {3, 2}, {1, 7}, {1, 2999}, {1, 0}},
    };
    if ((size_t)round < sizeof known / sizeof *known) return known[round];
    oq_conv_shape s = {.spatial = 1 + (int)(test_random() % 3)};
    const bool depthwise = round % 3 == 0;
    s.groups = test_random_size(1, depthwise ? 5 : 3);
    s.channels = s.groups * (depthwise ? 1 : test_random_size(1, 6));
    s.filters = s.groups * (depthwise ? test_random_size(1, 2) : test_random_size(1, 20));
    for (int d = 0; d < s.spatial; d++) {
        s.kernel[d] = round % 5 == 1 ? 1 : test_random_size(1, 5);
        s.stride[d] = test_random_size(1, 3), s.dilation[d] = test_random_size(1, 3);
        s.pad[d] = round % 5 == 1 ? 0 : test_random_size(0, 3);
        s.out[d] = test_random_size(1, s.spatial == 1 ? 300 : s.spatial == 2 ? 20 : 6);
        const size_t seen = (s.out[d] - 1) * s.stride[d] + (s.kernel[d] - 1) * s.dilation[d] + 1;
        const size_t behind = test_random_size(0, 2); // padding at the end, which only `out` tells
        s.in[d] = seen > s.pad[d] + behind ? seen - s.pad[d] - behind : 1;
        s.in[d] += test_random() % s.stride[d];
    }
    return s;
}

typedef struct counts {
    size_t pixels_in, pixels, taps, x, w, y, channels, filters; // channels and filters of a group
} counts;

static counts counts_of(const oq_conv_shape *s) {
    counts c = {
        product(s->in, s->spatial), product(s->out, s->spatial), product(s->kernel, s->spatial), 0, 0, 0,
        s->channels / s->groups,    s->filters / s->groups};
    c.x = s->channels * c.pixels_in, c.w = s->filters * c.channels * c.taps, c.y = s->filters * c.pixels;
    return c;
}

START_TEST(f32_is_one_chain_everywhere) {
    const oq_conv_shape s = random_shape(_i);
    const counts n = counts_of(&s);
    const place at = place_of(&s);
    float *x = test_block(n.x * 4), *w = test_block(n.w * 4), *bias = test_block(s.filters * 4),
          *expected = test_block(n.y * 4);
    test_random_floats(x, n.x), test_random_floats(w, n.w), test_random_floats(bias, s.filters);
    const bool biased = test_random() & 1, clamped = test_random() & 1;
    for (size_t f = 0; f < s.filters; f++)
        for (size_t pixel = 0; pixel < n.pixels; pixel++) {
            float sum = 0.0f;
            for (size_t k = 0; k < n.channels * n.taps; k++) {
                const int64_t from = met(&at, (int64_t)pixel, (int64_t)(k % n.taps));
                const size_t channel = f / n.filters * n.channels + k / n.taps;
                sum = fmaf(w[f * n.channels * n.taps + k],
                           from < 0 ? 0.0f : x[channel * n.pixels_in + (size_t)from], sum);
            }
            if (biased) sum += bias[f];
            if (clamped) sum = sum < -0.25f ? -0.25f : sum > 1.0f ? 1.0f : sum;
            expected[f * n.pixels + pixel] = sum;
        }
    const oq_kernel_table *tables[4];
    oq_mem mem = {0};
    oq_error err = {0};
    for (size_t t = 0, count = test_tables(tables); t < count; t++)
        for (size_t threads = 1; threads <= 3; threads += 2) {
            oq_pool *pool = NULL;
            CK_OK(oq_pool_new(&mem, threads, &pool, &err), &err);
            oq_kernels_use(tables[t]);
            void *packed = test_block(oq_conv_f32_packed_bytes(&s));
            float *y = test_block(n.y * 4);
            oq_conv_f32_pack(&s, w, packed);
            oq_conv_f32_run(&s, x, packed, biased ? bias : NULL,
                            clamped ? OQ_EPILOGUE_CLAMP : OQ_EPILOGUE_NONE, -0.25f, 1.0f, y, pool);
            CK_SAME_BITS(y, expected, n.y * 4, "table %zu, %zu threads, shape %d", t, threads, _i);
            test_free(packed), test_free(y);
            oq_pool_free(pool);
        }
    test_free(x), test_free(w), test_free(bias), test_free(expected);
}
END_TEST

static int32_t random_zero(bool is_signed, bool none) {
    return none ? 0 : is_signed ? (int32_t)(test_random() % 256) - 128 : (int32_t)(test_random() % 256);
}

START_TEST(integers_are_exact_everywhere) {
    const oq_conv_shape s = random_shape(_i);
    const counts n = counts_of(&s);
    const place at = place_of(&s);
    const bool x_signed = test_random() & 1, w_signed = test_random() & 1, per_filter = test_random() & 1;
    uint8_t *x = test_block(n.x), *w = test_block(n.w);
    int32_t *expected = test_block(n.y * 4), *w_zero = test_block((s.filters + 1) * 4),
            *bias = test_block((s.filters + 1) * 4);
    float *multiplier = test_block((s.filters + 1) * 4);
    test_random_bytes(x, n.x), test_random_bytes(w, n.w);
    if (_i % 4 == 0) memset(x, x_signed ? 0x80 : 0xff, n.x), memset(w, w_signed ? 0x80 : 0xff, n.w);
    const int32_t x_zero = random_zero(x_signed, _i % 4 == 1);
    for (size_t f = 0; f <= s.filters; f++) {
        w_zero[f] = random_zero(w_signed, _i % 3 == 1);
        bias[f] = (int32_t)(test_random() % 2001) - 1000, multiplier[f] = fabsf(test_random_float()) * 0.01f;
    }
    for (size_t f = 0; f < s.filters; f++)
        for (size_t pixel = 0; pixel < n.pixels; pixel++) {
            int64_t sum = 0;
            for (size_t k = 0; k < n.channels * n.taps; k++) {
                const int64_t from = met(&at, (int64_t)pixel, (int64_t)(k % n.taps));
                const size_t plane = (f / n.filters * n.channels + k / n.taps) * n.pixels_in;
                const int64_t number = from < 0 ? 0 : test_byte(x, plane + (size_t)from, x_signed) - x_zero;
                sum += number *
                       (test_byte(w, f * n.channels * n.taps + k, w_signed) - w_zero[per_filter ? f : 0]);
            }
            expected[f * n.pixels + pixel] = (int32_t)sum;
        }
    uint8_t *bytes = test_block(n.y), *out = test_block(n.y);
    const int32_t zero = random_zero(x_signed, false);
    oq_kernels_use(oq_kernels_of(OQ_ISA_PLAIN));
    for (size_t i = 0; i < n.y; i++) {
        const int32_t sum = expected[i] + bias[i / n.pixels];
        oq_rows_requantize_8(&sum, &multiplier[per_filter ? i / n.pixels : 0], 0, zero, x_signed, bytes + i,
                             1);
    }
    const oq_kernel_table *tables[4];
    oq_mem mem = {0};
    oq_error err = {0};
    for (size_t t = 0, count = test_tables(tables); t < count; t++)
        for (size_t threads = 1; threads <= 3; threads += 2) {
            oq_pool *pool = NULL;
            CK_OK(oq_pool_new(&mem, threads, &pool, &err), &err);
            oq_kernels_use(tables[t]);
            void *packed = test_block(oq_conv_8_packed_bytes(&s));
            int32_t *acc = test_block(n.y * 4);
            oq_conv_8_pack(&s, w, w_signed, packed);
            oq_conv_8 c = {&s, x, x_signed, w_signed, x_zero, packed, w_zero, per_filter, acc, NULL, pool};
            oq_conv_8_run(&c);
            CK_SAME_BITS(acc, expected, n.y * 4, "table %zu, %zu threads, shape %d", t, threads, _i);
            const oq_requantize r = {bias, multiplier, per_filter, x_signed, zero, out};
            c.requantize = &r;
            oq_conv_8_run(&c);
            CK_SAME_BITS(out, bytes, n.y, "requantized, table %zu, %zu threads, shape %d", t, threads, _i);
            test_free(packed), test_free(acc);
            oq_pool_free(pool);
        }
    test_free(x), test_free(w), test_free(expected), test_free(w_zero), test_free(bias),
        test_free(multiplier);
    test_free(bytes), test_free(out);
}
END_TEST

START_TEST(impossible_sizes_are_told) {
    const oq_conv_shape s = {2, 1, SIZE_MAX / 16, 64, {4, 4}, {4, 4}, {1, 1}, {1, 1}, {1, 1}, {0, 0}};
    ck_assert_uint_eq(oq_conv_f32_packed_bytes(&s), SIZE_MAX);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("kernels/conv");
    TCase *tcase = tcase_create("conv");
    tcase_add_loop_test(tcase, f32_is_one_chain_everywhere, 0, 60);
    tcase_add_loop_test(tcase, integers_are_exact_everywhere, 0, 60);
    tcase_add_test(tcase, impossible_sizes_are_told);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
