// Matrix products: the public functions, and how one product is spread over the threads.
#include "kernels/gemm.h"

#include "kernels/table.h"

#define SMALL_PRODUCT 65536 // multiply-adds below which starting threads costs more than it gives

typedef struct job {
    const oq_kernel_table *table;
    const oq_gemm_f32 *f32; // one of the two
    const oq_gemm_8 *bytes;
    size_t m, n, first, row_step, column_step, row_steps; // columns from `first` on
} job;

static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static size_t steps(size_t n, size_t step) { return n / step + (n % step != 0); }

static oq_status run_span(void *self, size_t index, size_t worker, oq_error *err) {
    (void)worker, (void)err;
    const job *j = self;
    const size_t row = index % j->row_steps * j->row_step,
                 column = j->first + index / j->row_steps * j->column_step;
    const oq_span span = {row, least(row + j->row_step, j->m), column, least(column + j->column_step, j->n)};
    if (j->f32)
        j->table->gemm_f32_span(j->f32, &span);
    else
        j->table->gemm_8_span(j->bytes, &span);
    return ONNXQ_OK;
}

// Splits m (tall products) or else n into whole tiles, a few spans per thread; k is never split.
static void run(job *j, size_t k, oq_pool *pool) {
    if (j->m == 0 || j->first >= j->n) return;
    const size_t threads = oq_pool_threads(pool), n = j->n - j->first;
    j->row_step = j->m;
    j->column_step = n;
    if (threads > 1 && (double)j->m * (double)n * (double)k > SMALL_PRODUCT) {
        const size_t rows = j->table->row_step * 8, columns = j->table->column_step * 4, spans = threads * 4;
        if (j->m / rows >= threads)
            j->row_step = steps(steps(j->m, spans), rows) * rows;
        else
            j->column_step = steps(steps(n, spans), columns) * columns;
    }
    j->row_steps = steps(j->m, j->row_step);
    const size_t count = j->row_steps * steps(n, j->column_step);
    (void)oq_pool_run(count > 1 ? pool : NULL, count, run_span, j, NULL); // spans cannot fail
}

size_t oq_gemm_f32_packed_bytes(size_t k, size_t n) { return oq_kernels()->gemm_f32_packed_bytes(k, n); }

void oq_gemm_f32_pack(const float *b, size_t ldb, bool transposed, size_t k, size_t n, void *packed) {
    oq_kernels()->gemm_f32_pack(b, ldb, transposed, k, n, packed);
}

void oq_gemm_f32_run(const oq_gemm_f32 *g) {
    job j = {.table = oq_kernels(), .f32 = g, .m = g->m, .n = g->n};
    j.first = g->skip / j.table->column_step * j.table->column_step;
    run(&j, g->k, g->pool);
}

size_t oq_gemm_8_packed_bytes(size_t k, size_t n) { return oq_kernels()->gemm_8_packed_bytes(k, n); }

void oq_gemm_8_pack(const void *b, bool b_signed, size_t ldb, bool transposed, size_t k, size_t n,
                    void *packed) {
    oq_kernels()->gemm_8_pack(b, b_signed, ldb, transposed, k, n, packed);
}

void oq_gemm_8_run(const oq_gemm_8 *g) {
    job j = {.table = oq_kernels(), .bytes = g, .m = g->m, .n = g->n};
    run(&j, g->k, g->pool);
}
