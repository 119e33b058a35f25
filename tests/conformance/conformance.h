// The official test cases of ONNX, run one process each and compared with a ledger of what is expected.
#ifndef OQ_TESTS_CONFORMANCE_H
#define OQ_TESTS_CONFORMANCE_H

#include "base/text.h"
#include "tensor/tensor.h"

#define CONFORMANCE_REASON    400 // bytes of an outcome
#define CONFORMANCE_OPERATORS 300 // bytes of a list of operators

// One case: a folder with model.onnx and test_data_set_*.
typedef struct conformance_case {
    char *name; // "node/test_abs"
    double rtol, atol;
    char operators[CONFORMANCE_OPERATORS]; // of the main graph, each once: "Shape,Gather"; "-": none, not
                                           // known
    char outcome[CONFORMANCE_REASON];      // "pass", or "fail: why"
} conformance_case;

typedef struct conformance_cases {
    conformance_case *items; // sorted by name
    size_t count, capacity;
} conformance_cases;

// Reads manifest.txt of `folder`, or, when there is none, lists its folders KIND/NAME with the usual
// tolerances. Only names that match `filter` (NULL: all; matched against NAME and KIND/NAME).
oq_status conformance_list(oq_mem *mem, const char *folder, const char *filter, conformance_cases *out,
                           oq_error *err);
void conformance_cases_free(oq_mem *mem, conformance_cases *cases);
void conformance_sort(conformance_cases *cases);

// Runs one case in this process and writes its operators and its outcome.
void conformance_run(const char *folder, conformance_case *c);

// Reads a ledger: one line a case, "KIND/NAME OPERATORS OUTCOME". An absent file is an empty ledger.
oq_status conformance_ledger_read(oq_mem *mem, const char *path, conformance_cases *out, oq_error *err);
oq_status conformance_ledger_write(oq_mem *mem, const char *path, const conformance_cases *cases,
                                   oq_error *err);

static inline bool conformance_passes(const conformance_case *c) {
    return c->outcome[0] == 'p' && c->outcome[1] == 'a';
}

#endif
