// Equations of Einsum taken apart into labels.
#include "ops/lib/einsum.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ELLIPSIS 52

static oq_status bad(const char *equation, const char *why, oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_MODEL, "equation '%s' of Einsum %s", equation, why);
}

// Letters count in the order of their codes: A..Z, then a..z.
static int label_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    return -1;
}

// Letters of one term before and behind its ellipsis.
typedef struct letters {
    int count[2];
    int label[2][OQ_MAX_RANK];
    bool ellipsis;
} letters;

// Reads one term up to a comma, an arrow or the end; *at stops there.
static oq_status read_term(const char *equation, const char **at, letters *out, oq_error *err) {
    *out = (letters){.ellipsis = false};
    const char *p = *at;
    for (; *p && *p != ',' && !(p[0] == '-' && p[1] == '>'); p++) {
        if (*p == ' ') continue;
        if (p[0] == '.' && p[1] == '.' && p[2] == '.') {
            if (out->ellipsis) return bad(equation, "has two ellipses in one term", err);
            out->ellipsis = true;
            p += 2;
            continue;
        }
        const int label = label_of(*p);
        int *count = &out->count[out->ellipsis];
        if (label < 0)
            return bad(equation, "holds a character that is no letter, comma, arrow or ellipsis", err);
        if (*count == OQ_MAX_RANK) return bad(equation, "has a term that is too long", err);
        out->label[out->ellipsis][(*count)++] = label;
    }
    *at = p;
    return ONNXQ_OK;
}

// The term's labels with `hidden` axes in place of the ellipsis, aligned to the right.
static oq_status expand(const char *equation, const letters *from, int hidden, oq_einsum_term *out,
                        oq_error *err) {
    *out = (oq_einsum_term){.rank = from->count[0] + hidden + from->count[1]};
    if (hidden < 0 || out->rank > OQ_MAX_RANK || (hidden && !from->ellipsis)) {
        return bad(equation, "does not fit the rank of an operand", err);
    }
    int *to = out->label;
    for (int i = 0; i < from->count[0]; i++) *to++ = from->label[0][i];
    for (int i = 0; i < hidden; i++) *to++ = FIRST_ELLIPSIS + OQ_MAX_RANK - hidden + i;
    for (int i = 0; i < from->count[1]; i++) *to++ = from->label[1][i];
    return ONNXQ_OK;
}

// Without an arrow: the ellipsis, then the labels that occur once, in the order of their codes.
static void implicit_output(const oq_einsum *e, letters *out) {
    int seen[FIRST_ELLIPSIS] = {0};
    *out = (letters){.ellipsis = true};
    for (size_t i = 0; i < e->count; i++) {
        for (int k = 0; k < e->in[i].rank; k++) {
            if (e->in[i].label[k] < FIRST_ELLIPSIS) seen[e->in[i].label[k]]++;
        }
    }
    for (int label = 0; label < FIRST_ELLIPSIS; label++) {
        if (seen[label] == 1 && out->count[1] < OQ_MAX_RANK) out->label[1][out->count[1]++] = label;
    }
}

// Every label of the output occurs in an input, and once in the output.
static oq_status check_output(const char *equation, const oq_einsum *e, oq_error *err) {
    bool known[OQ_EINSUM_LABELS] = {false};
    for (size_t i = 0; i < e->count; i++) {
        for (int k = 0; k < e->in[i].rank; k++) known[e->in[i].label[k]] = true;
    }
    for (int k = 0; k < e->out.rank; k++) {
        if (!known[e->out.label[k]]) {
            return bad(equation, "has an output label that is in no input, or twice in the output", err);
        }
        known[e->out.label[k]] = false;
    }
    return ONNXQ_OK;
}

oq_status oq_einsum_parse(const char *equation, size_t count, const int *ranks, oq_einsum *out,
                          oq_error *err) {
    *out = (oq_einsum){.count = count};
    const char *at = equation;
    int widest = 0; // axes of the largest ellipsis
    if (count > OQ_EINSUM_MAX_INPUTS) return bad(equation, "has too many operands", err);
    for (size_t i = 0; i < count; i++) {
        letters term;
        OQ_TRY(read_term(equation, &at, &term, err));
        const int hidden = ranks[i] - term.count[0] - term.count[1];
        OQ_TRY(expand(equation, &term, hidden, &out->in[i], err));
        if (hidden > widest) widest = hidden;
        const bool more = i + 1 < count;
        if (more != (*at == ','))
            return bad(equation, "does not have as many terms as there are operands", err);
        if (more) at++;
    }
    letters output;
    if (*at == '-') {
        at += 2;
        OQ_TRY(read_term(equation, &at, &output, err));
        if (*at) return bad(equation, "goes on behind its output", err);
    } else {
        implicit_output(out, &output);
    }
    OQ_TRY(expand(equation, &output, output.ellipsis ? widest : 0, &out->out, err));
    return check_output(equation, out, err);
}
