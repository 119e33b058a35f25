// Matrix products over packed operands: packing of both sides, and the blocking of one span of the result.
#include "kernels/block.h"
#include "kernels/table.h"

#define NC 1024 // columns whose zero-point terms fit on the stack

static size_t panels_bytes(size_t groups, size_t n, size_t extra) {
    size_t columns, units, bytes;
    if (!oq_add_size(n, OQ_NR - 1, &columns)) return SIZE_MAX;
    columns = columns / OQ_NR * OQ_NR;
    if (!oq_mul_size(columns, groups, &units) || !oq_mul_size(columns, extra, &bytes) ||
        !oq_add_size(units, bytes, &units) || !oq_mul_size(units, sizeof(int32_t), &bytes))
        return SIZE_MAX;
    return bytes;
}

// --- float32 ---

size_t OQ_FN(gemm_f32_packed_bytes)(size_t k, size_t n) { return panels_bytes(k, n, 0); }

void OQ_FN(gemm_f32_pack)(const float *b, size_t ldb, bool transposed, size_t k, size_t n, void *packed) {
    const size_t k_step = transposed ? 1 : ldb, n_step = transposed ? ldb : 1;
    float *to = packed;
    for (size_t j = 0; j < n; j += OQ_NR, to += k * OQ_NR) {
        const size_t columns = oq_least(n - j, OQ_NR);
        for (size_t p = 0; p < k; p++) {
            float *row = to + p * OQ_NR;
            const float *from = b + p * k_step + j * n_step;
            for (size_t c = 0; c < columns; c++) row[c] = from[c * n_step];
            for (size_t c = columns; c < OQ_NR; c++) row[c] = 0.0f;
        }
    }
}

// Rows [row, row + rows) of A, k in [group, group + groups).
static void pack_a_f32(const oq_gemm_f32 *g, size_t row, size_t rows, size_t group, size_t groups,
                       int32_t *packed) {
    for (size_t i = 0; i < rows; i++) {
        float *to = (float *)(void *)(packed + i * OQ_A_ROW);
        const float *from = g->a + (row + i) * g->a_row + group * g->a_column;
        if (g->a_column == 1)
            memcpy(to, from, groups * sizeof *to);
        else
            for (size_t p = 0; p < groups; p++) to[p] = from[p * g->a_column];
    }
}

void OQ_FN(gemm_f32_span)(const oq_gemm_f32 *g, const oq_span *span) {
    int32_t a[OQ_MC * OQ_A_ROW] __attribute__((aligned(64)));
    for (size_t row = span->row; row < span->row_end; row += OQ_MC) {
        const size_t rows = oq_least(span->row_end - row, OQ_MC);
        size_t group = 0;
        do { // once for k = 0 as well: the result is the bias
            const size_t groups = oq_least(g->k - group, OQ_KC);
            pack_a_f32(g, row, rows, group, groups, a);
            const oq_block block = {
                .kind = OQ_KIND_F32_ROWS,
                .rows = rows,
                .columns = span->column_end - span->column,
                .groups = groups,
                .a = a,
                .a_strip = OQ_MR * OQ_A_ROW,
                .b = (const int32_t *)g->b + span->column * g->k + group * OQ_NR,
                .b_panel = g->k * OQ_NR,
                .c = (int32_t *)(void *)(g->c + row * g->ldc + span->column),
                .ldc = g->ldc,
                .first = group == 0 && !g->add,
                .last = group + groups == g->k,
                .finish_f32 = {.column_bias = g->bias ? g->bias + span->column : NULL,
                               .clamp = g->epilogue == OQ_EPILOGUE_CLAMP,
                               .low = g->low,
                               .high = g->high},
            };
            OQ_FN(block)(&block);
            group += groups;
        } while (group < g->k);
    }
}

// --- 8 bit: column sums of the packed numbers (panel-padded), then the panels ---

static size_t groups_8(size_t k) { return k / OQ_UNIT_8 + (k % OQ_UNIT_8 != 0); }

size_t OQ_FN(gemm_8_packed_bytes)(size_t k, size_t n) { return panels_bytes(groups_8(k), n, 1); }

void OQ_FN(gemm_8_pack)(const void *b, bool b_signed, size_t ldb, bool transposed, size_t k, size_t n,
                        void *packed) {
    const size_t k_step = transposed ? 1 : ldb, n_step = transposed ? ldb : 1, groups = groups_8(k);
    const int32_t shift = OQ_SHIFT_SIGNED(b_signed);
    int32_t *sums = packed, *to = sums + oq_round_up(n, OQ_NR);
    for (size_t j = 0; j < oq_round_up(n, OQ_NR); j++) {
        const uint8_t *from = (const uint8_t *)b + j * n_step;
        uint32_t sum = 0;
        for (size_t p = 0; p < k && j < n; p++)
            sum += (uint32_t)(oq_number_8(from[p * k_step], b_signed) + shift);
        sums[j] = (int32_t)sum;
        int32_t *column = to + j / OQ_NR * groups * OQ_NR + j % OQ_NR;
        for (size_t q = 0; q < groups; q++) {
            const size_t p = q * OQ_UNIT_8, count = j < n ? oq_least(k - p, OQ_UNIT_8) : 0;
            column[q * OQ_NR] = oq_unit_8(from + p * k_step, k_step, count, b_signed, OQ_FLIP(shift));
        }
    }
}

static void pack_a_8(const oq_gemm_8 *g, size_t row, size_t rows, size_t group, size_t groups,
                     int32_t *packed) {
    const uint8_t flip = OQ_FLIP(OQ_SHIFT_UNSIGNED(g->a_signed));
    const size_t k = group * OQ_UNIT_8, count = oq_least(g->k - k, groups * OQ_UNIT_8);
    for (size_t i = 0; i < rows; i++, packed += OQ_A_ROW) {
        const uint8_t *from = (const uint8_t *)g->a + (row + i) * g->lda + k;
        size_t q = 0;
        for (; (q + OQ_W) * OQ_UNIT_8 <= count; q += OQ_W)
            vi_store(packed + q, vi_load_units(from + q * OQ_UNIT_8, g->a_signed, flip));
        for (; q < groups; q++)
            packed[q] = oq_unit_8(from + q * OQ_UNIT_8, 1, oq_least(count - q * OQ_UNIT_8, OQ_UNIT_8),
                                  g->a_signed, flip);
    }
}

// sum over k of (a - za)(b - zb) = sum a b - za (column sum - k zb) - zb (row sum): a term per column, a term
// per row, or a product of both, as the zero points are one or many. Modulo 2^32 throughout, like the sums.
typedef struct terms {
    int32_t row_term[OQ_MC], row_zero[OQ_MC], row_sum[OQ_MC];
    int32_t column_term[NC], column_rest[NC], column_zero[NC];
    bool any_column_zero;
} terms;

static int32_t wrapping_product(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
static int32_t wrapping_difference(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }

static void column_terms(const oq_gemm_8 *g, size_t column, size_t columns, terms *t) {
    const int32_t a_shift = OQ_SHIFT_UNSIGNED(g->a_signed), b_shift = OQ_SHIFT_SIGNED(g->b_signed);
    const int32_t *sums = (const int32_t *)g->b + column;
    const int32_t *bias = g->requantize ? g->requantize->bias : NULL;
    t->any_column_zero = false;
    for (size_t j = 0; j < columns; j++) {
        const int32_t zero = g->b_zero[g->b_zero_per_column ? column + j : 0] + b_shift;
        t->column_zero[j] = wrapping_difference(0, zero);
        t->any_column_zero |= zero != 0;
        t->column_rest[j] = wrapping_difference(sums[j], wrapping_product((int32_t)(uint32_t)g->k, zero));
        t->column_term[j] = bias ? bias[column + j] : 0;
        if (!g->a_zero_per_row)
            t->column_term[j] = wrapping_difference(
                t->column_term[j], wrapping_product(g->a_zero[0] + a_shift, t->column_rest[j]));
    }
}

static void row_terms(const oq_gemm_8 *g, size_t row, size_t rows, terms *t) {
    const int32_t shift = OQ_SHIFT_UNSIGNED(g->a_signed);
    for (size_t i = 0; i < rows; i++) {
        const uint8_t *a = (const uint8_t *)g->a + (row + i) * g->lda;
        if (g->a_zero_per_row) t->row_zero[i] = -(g->a_zero[row + i] + shift);
        if (!t->any_column_zero) continue;
        uint32_t sum = 0;
        for (size_t p = 0; p < g->k; p++) sum += (uint32_t)oq_number_8(a[p], g->a_signed);
        t->row_sum[i] = (int32_t)(sum + (uint32_t)shift * (uint32_t)g->k);
        t->row_term[i] = wrapping_product(t->row_sum[i], t->column_zero[0]);
    }
}

static oq_finish_8 finish_of(const oq_gemm_8 *g, const terms *t, size_t row, size_t column) {
    const oq_requantize *q = g->requantize;
    oq_finish_8 f = {.column_term = t->column_term, .requantize = q};
    if (g->a_zero_per_row) {
        f.cross_row[0] = t->row_zero;
        f.cross_column[0] = t->column_rest;
    }
    if (t->any_column_zero && g->b_zero_per_column) {
        f.cross_row[1] = t->row_sum;
        f.cross_column[1] = t->column_zero;
    } else if (t->any_column_zero) {
        f.row_term = t->row_term;
    }
    if (q) {
        f.column_multiplier = q->per_channel ? q->multiplier + column : NULL;
        f.out = (uint8_t *)q->out + row * g->ldc + column;
    }
    return f;
}

static void block_rows_8(const oq_gemm_8 *g, size_t row, size_t rows, size_t column, size_t columns,
                         terms *t) {
    int32_t a[OQ_MC * OQ_A_ROW] __attribute__((aligned(64)));
    const size_t all = groups_8(g->k);
    const int32_t *panels = (const int32_t *)g->b + oq_round_up(g->n, OQ_NR) + column * all;
    row_terms(g, row, rows, t);
    size_t group = 0;
    do {
        const size_t groups = oq_least(all - group, OQ_KC);
        pack_a_8(g, row, rows, group, groups, a);
        const oq_block block = {
            .kind = OQ_KIND_8_ROWS,
            .rows = rows,
            .columns = columns,
            .groups = groups,
            .a = a,
            .a_strip = OQ_MR * OQ_A_ROW,
            .b = panels + group * OQ_NR,
            .b_panel = all * OQ_NR,
            .c = g->c + row * g->ldc + column,
            .ldc = g->ldc,
            .first = group == 0,
            .last = group + groups == all,
            .finish_8 = finish_of(g, t, row, column),
        };
        OQ_FN(block)(&block);
        group += groups;
    } while (group < all);
}

void OQ_FN(gemm_8_span)(const oq_gemm_8 *g, const oq_span *span) {
    terms t;
    for (size_t column = span->column; column < span->column_end; column += NC) {
        const size_t columns = oq_least(span->column_end - column, NC);
        column_terms(g, column, columns, &t);
        for (size_t row = span->row; row < span->row_end; row += OQ_MC)
            block_rows_8(g, row, oq_least(span->row_end - row, OQ_MC), column, columns, &t);
    }
}
