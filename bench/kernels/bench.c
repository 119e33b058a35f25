// Speed of the kernels, one thread: GFLOP/s (two per multiply-add) and GB/s, per kernel and shape, as lines
// of "name value unit". Environment: ONNXQ_ISA chooses the instruction set. Argument: only names that hold
// it.
#include "kernels/conv.h"
#include "kernels/isa.h"
#include "kernels/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *only;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool wanted(const char *name) { return !only || strstr(name, only); }

static void *block(size_t bytes) {
    unsigned char *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!p) exit(1);
    for (size_t i = 0; i < bytes; i++) p[i] = (unsigned char)(i * 2654435761u >> 13);
    return p;
}

static float *floats(size_t n) {
    float *x = block(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = (float)(int)(i * 2654435761u >> 8 & 0xffff) * 0x1p-15f - 1.0f;
    return x;
}

// Least time of one call over about a fifth of a second.
static double least_time(void (*call)(void *), void *self) {
    call(self);
    double best = 1e9;
    const double end = now() + 0.2;
    for (int round = 0; round < 3 || now() < end; round++) {
        const double start = now();
        call(self);
        const double time = now() - start;
        best = time < best ? time : best;
    }
    return best;
}

static void report(const char *name, double amount, const char *unit, double time) {
    printf("%-44s %9.2f %-8s %10.1f us\n", name, amount / time * 1e-9, unit, time * 1e6);
    fflush(stdout);
}

// --- products ---

static void call_gemm_f32(void *self) { oq_gemm_f32_run(self); }
static void call_gemm_8(void *self) { oq_gemm_8_run(self); }

static void bench_gemm(size_t m, size_t n, size_t k) {
    char name[64];
    float *a = floats(m * k), *b = floats(k * n), *c = floats(m * n);
    const double flops = 2.0 * (double)m * (double)n * (double)k;
    snprintf(name, sizeof name, "gemm_f32 %zux%zux%zu", m, n, k);
    if (wanted(name)) {
        void *packed = block(oq_gemm_f32_packed_bytes(k, n));
        oq_gemm_f32_pack(b, n, false, k, n, packed);
        oq_gemm_f32 g = {
            .m = m, .n = n, .k = k, .a = a, .a_row = k, .a_column = 1, .b = packed, .c = c, .ldc = n};
        report(name, flops, "GFLOP/s", least_time(call_gemm_f32, &g));
        free(packed);
    }
    snprintf(name, sizeof name, "gemm_8 %zux%zux%zu", m, n, k);
    if (wanted(name)) {
        void *packed = block(oq_gemm_8_packed_bytes(k, n));
        const int32_t a_zero = 117, b_zero = 0;
        oq_gemm_8_pack(b, true, n, false, k, n, packed);
        oq_gemm_8 g = {.m = m,
                       .n = n,
                       .k = k,
                       .a = a,
                       .lda = k,
                       .b_signed = true,
                       .a_zero = &a_zero,
                       .b = packed,
                       .b_zero = &b_zero,
                       .c = (int32_t *)(void *)c,
                       .ldc = n};
        report(name, flops, "GOP/s", least_time(call_gemm_8, &g));
        free(packed);
    }
    free(a), free(b), free(c);
}

// --- convolutions ---

typedef struct conv_job {
    const oq_conv_shape *s;
    float *x, *bias, *y;
    void *packed;
    oq_conv_8 integers;
} conv_job;

static void call_conv_f32(void *self) {
    conv_job *j = self;
    oq_conv_f32_run(j->s, j->x, j->packed, j->bias, OQ_EPILOGUE_CLAMP, 0.0f, 6.0f, j->y, NULL);
}
static void call_conv_8(void *self) { oq_conv_8_run(&((conv_job *)self)->integers); }

// channels, filters, output size, kernel, stride; groups = channels when depthwise.
static double bench_conv(const char *what, size_t channels, size_t filters, size_t size, size_t kernel,
                         size_t stride, bool depthwise, double *time_8) {
    char name[96];
    const size_t in = (size - 1) * stride + kernel - (stride == 1 ? kernel / 2 * 2 : 0);
    const oq_conv_shape s = {2,
                             depthwise ? channels : 1,
                             channels,
                             filters,
                             {in, in},
                             {size, size},
                             {kernel, kernel},
                             {stride, stride},
                             {1, 1},
                             {stride == 1 ? kernel / 2 : 0, stride == 1 ? kernel / 2 : 0}};
    const size_t depth = (depthwise ? 1 : channels) * kernel * kernel;
    conv_job j = {.s = &s,
                  .x = floats(channels * in * in),
                  .bias = floats(filters),
                  .y = floats(filters * size * size)};
    float *w = floats(filters * depth);
    const double flops = 2.0 * (double)(filters * size * size) * (double)depth;
    double time = 0.0;
    snprintf(name, sizeof name, "conv_f32 %s %zu>%zu %zux%zu k%zu s%zu", what, channels, filters, size, size,
             kernel, stride);
    if (wanted(name)) {
        j.packed = block(oq_conv_f32_packed_bytes(&s));
        oq_conv_f32_pack(&s, w, j.packed);
        report(name, flops, "GFLOP/s", time = least_time(call_conv_f32, &j));
        free(j.packed);
    }
    snprintf(name, sizeof name, "conv_8 %s %zu>%zu %zux%zu k%zu s%zu", what, channels, filters, size, size,
             kernel, stride);
    if (wanted(name)) {
        j.packed = block(oq_conv_8_packed_bytes(&s));
        oq_conv_8_pack(&s, w, true, j.packed);
        int32_t w_zero = 0, *bias = block(filters * 4);
        void *out = block(filters * size * size);
        float *multiplier = floats(filters);
        const oq_requantize r = {bias, multiplier, true, false, 3, out};
        j.integers = (oq_conv_8){.shape = &s,
                                 .x = j.x,
                                 .w_signed = true,
                                 .x_zero = 117,
                                 .packed = j.packed,
                                 .w_zero = &w_zero,
                                 .acc = (int32_t *)(void *)j.y,
                                 .requantize = &r};
        report(name, flops, "GOP/s", *time_8 = least_time(call_conv_8, &j));
        free(j.packed), free(bias), free(out), free(multiplier);
    }
    free(j.x), free(j.bias), free(j.y), free(w);
    return time;
}

// The convolutions of EfficientNet-Lite0 at 224 x 224 and how often each occurs.
static void bench_network(void) {
    static const struct {
        size_t channels, filters, size, kernel, stride;
        int times;
    } layers[] = {
        {3, 32, 112, 3, 2, 1},   {32, 32, 112, 3, 1, 1},   {32, 16, 112, 1, 1, 1},  {16, 96, 112, 1, 1, 1},
        {96, 96, 56, 3, 2, 1},   {96, 24, 56, 1, 1, 1},    {24, 144, 56, 1, 1, 2},  {144, 144, 56, 3, 1, 1},
        {144, 24, 56, 1, 1, 1},  {144, 144, 28, 5, 2, 1},  {144, 40, 28, 1, 1, 1},  {40, 240, 28, 1, 1, 2},
        {240, 240, 28, 5, 1, 1}, {240, 40, 28, 1, 1, 1},   {240, 240, 14, 3, 2, 1}, {240, 80, 14, 1, 1, 1},
        {80, 480, 14, 1, 1, 3},  {480, 480, 14, 3, 1, 2},  {480, 80, 14, 1, 1, 2},  {480, 480, 14, 5, 1, 1},
        {480, 112, 14, 1, 1, 1}, {112, 672, 14, 1, 1, 3},  {672, 672, 14, 5, 1, 2}, {672, 112, 14, 1, 1, 2},
        {672, 672, 7, 5, 2, 1},  {672, 192, 7, 1, 1, 1},   {192, 1152, 7, 1, 1, 4}, {1152, 1152, 7, 5, 1, 3},
        {1152, 192, 7, 1, 1, 3}, {1152, 1152, 7, 3, 1, 1}, {1152, 320, 7, 1, 1, 1}, {320, 1280, 7, 1, 1, 1}};
    double f32 = 0.0, bytes = 0.0, f32_depthwise = 0.0, bytes_depthwise = 0.0;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const bool depthwise = layers[i].channels == layers[i].filters;
        double time_8 = 0.0;
        const double time =
            bench_conv(depthwise ? "depthwise" : "dense", layers[i].channels, layers[i].filters,
                       layers[i].size, layers[i].kernel, layers[i].stride, depthwise, &time_8) *
            layers[i].times;
        f32 += time, bytes += time_8 * layers[i].times;
        if (depthwise) f32_depthwise += time, bytes_depthwise += time_8 * layers[i].times;
    }
    printf("network f32 %.2f ms (depthwise %.2f), 8-bit %.2f ms (depthwise %.2f)\n", f32 * 1e3,
           f32_depthwise * 1e3, bytes * 1e3, bytes_depthwise * 1e3);
}

// --- rows ---

#define ROW 100000

typedef struct row_job {
    float *x, *y;
    void (*map)(const float *x, float *y, size_t n);
    uint64_t counts[2048];
    oq_rows_stats stats;
    float result;
} row_job;

static void call_map(void *self) {
    row_job *j = self;
    j->map(j->x, j->y, ROW);
}
static void call_sum(void *self) {
    row_job *j = self;
    j->result += oq_rows_sum(j->x, ROW);
}
static void call_statistics(void *self) {
    row_job *j = self;
    oq_rows_statistics(j->x, ROW, &j->stats);
}
static void call_histogram(void *self) {
    row_job *j = self;
    oq_rows_histogram(j->x, ROW, -1.0f, 1024.0f, j->counts, 2048);
}
static void call_quantize(void *self) {
    row_job *j = self;
    oq_rows_quantize_8(j->x, 0.01f, 3, false, j->y, ROW);
}
static void call_dequantize(void *self) {
    row_job *j = self;
    oq_rows_dequantize_8(j->x, 0.01f, 3, false, j->y, ROW);
}
static void call_requantize(void *self) {
    row_job *j = self;
    const float m = 1e-8f;
    oq_rows_requantize_8((const int32_t *)(const void *)j->x, &m, 0, 3, false, j->y, ROW);
}
static void call_add(void *self) {
    row_job *j = self;
    oq_rows_binary_f32(OQ_ROWS_ADD, j->x, 1, j->x, 1, j->y, ROW);
}

static void bench_rows(void) {
    static const struct {
        const char *name;
        void (*map)(const float *x, float *y, size_t n);
        void (*call)(void *self);
        double bytes; // read and written per element
    } rows[] = {{"rows exp", oq_rows_exp, call_map, 8},
                {"rows log", oq_rows_log, call_map, 8},
                {"rows tanh", oq_rows_tanh, call_map, 8},
                {"rows erf", oq_rows_erf, call_map, 8},
                {"rows sigmoid", oq_rows_sigmoid, call_map, 8},
                {"rows add", NULL, call_add, 12},
                {"rows sum", NULL, call_sum, 4},
                {"rows statistics", NULL, call_statistics, 4},
                {"rows histogram", NULL, call_histogram, 4},
                {"rows quantize", NULL, call_quantize, 5},
                {"rows dequantize", NULL, call_dequantize, 5},
                {"rows requantize", NULL, call_requantize, 5}};
    static row_job j;
    j.x = floats(ROW), j.y = floats(ROW);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!wanted(rows[i].name)) continue;
        j.map = rows[i].map;
        report(rows[i].name, rows[i].bytes * ROW, "GB/s", least_time(rows[i].call, &j));
    }
    free(j.x), free(j.y);
}

int main(int argc, char **argv) {
    only = argc > 1 ? argv[1] : NULL;
    printf("instruction set: %s\n", oq_isa_name(oq_isa_best()));
    static const size_t sizes[][3] = {{1, 384, 384},   {1, 1000, 1280},   {4, 384, 1536},   {8, 384, 384},
                                      {32, 384, 384},  {64, 1536, 384},   {128, 384, 1536}, {128, 128, 32},
                                      {512, 512, 512}, {1024, 1024, 1024}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        bench_gemm(sizes[i][0], sizes[i][1], sizes[i][2]);
    bench_network();
    bench_rows();
    return 0;
}
