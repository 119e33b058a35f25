// Lists of cases: from a manifest, from a folder, from a ledger; and the ledger's way back to disk.
#include "conformance/conformance.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static oq_status add_case(oq_mem *mem, conformance_cases *cases, const char *name, size_t length, double rtol,
                          double atol, const char *outcome, oq_error *err) {
    void *items = cases->items;
    OQ_TRY(oq_mem_reserve(mem, &items, cases->count, &cases->capacity, sizeof *cases->items, err));
    cases->items = items;
    conformance_case *c = &cases->items[cases->count];
    *c = (conformance_case){.rtol = rtol, .atol = atol};
    c->name = oq_mem_alloc(mem, length + 1, err);
    if (!c->name) return ONNXQ_NO_MEMORY;
    memcpy(c->name, name, length);
    c->name[length] = 0;
    snprintf(c->outcome, sizeof c->outcome, "%s", outcome);
    cases->count++;
    return ONNXQ_OK;
}

void conformance_cases_free(oq_mem *mem, conformance_cases *cases) {
    for (size_t i = 0; i < cases->count; i++) oq_mem_free(mem, cases->items[i].name);
    oq_mem_free(mem, cases->items);
    *cases = (conformance_cases){0};
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const conformance_case *)a)->name, ((const conformance_case *)b)->name);
}

void conformance_sort(conformance_cases *cases) {
    if (cases->count) qsort(cases->items, cases->count, sizeof *cases->items, by_name);
}

static bool chosen(const char *filter, const char *name) {
    const char *slash = strchr(name, '/');
    return !filter || oq_glob_match(filter, name) || (slash && oq_glob_match(filter, slash + 1));
}

// Calls `line` for every line of a text file, without its end; an absent file has none.
static oq_status each_line(oq_mem *mem, const char *path,
                           oq_status (*line)(void *self, char *text, oq_error *err), void *self,
                           oq_error *err) {
    FILE *file = fopen(path, "r");
    if (!file) return ONNXQ_OK;
    (void)mem;
    char text[1024];
    oq_status status = ONNXQ_OK;
    while (status == ONNXQ_OK && fgets(text, sizeof text, file)) {
        text[strcspn(text, "\n")] = 0;
        if (text[0] && text[0] != '#') status = line(self, text, err);
    }
    fclose(file);
    return status;
}

typedef struct reading {
    oq_mem *mem;
    const char *filter;
    conformance_cases *cases;
} reading;

static oq_status manifest_line(void *self, char *text, oq_error *err) {
    const reading *r = self;
    char *space = strchr(text, ' ');
    if (!space) return oq_fail(err, ONNXQ_BAD_DATA, "manifest line '%s' has no tolerances", text);
    *space = 0;
    if (!chosen(r->filter, text)) return ONNXQ_OK;
    char *end;
    const double rtol = strtod(space + 1, &end);
    return add_case(r->mem, r->cases, text, strlen(text), rtol, strtod(end, NULL), "", err);
}

static oq_status list_kind(oq_mem *mem, const char *folder, const char *kind, const char *filter,
                           conformance_cases *out, oq_error *err) {
    char path[4096], **names;
    size_t count;
    snprintf(path, sizeof path, "%s/%s", folder, kind);
    if (!oq_path_is_folder(path)) return ONNXQ_OK;
    OQ_TRY(oq_path_list(mem, path, &names, &count, err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < count && status == ONNXQ_OK; i++) {
        char name[1024];
        const int length = snprintf(name, sizeof name, "%s/%s", kind, names[i]);
        snprintf(path, sizeof path, "%s/%s/model.onnx", folder, name);
        if (oq_path_exists(path) && chosen(filter, name))
            status = add_case(mem, out, name, (size_t)length, 1e-3, 1e-7, "", err);
    }
    oq_path_list_free(mem, names, count);
    return status;
}

oq_status conformance_list(oq_mem *mem, const char *folder, const char *filter, conformance_cases *out,
                           oq_error *err) {
    char path[4096], **kinds;
    size_t count;
    snprintf(path, sizeof path, "%s/manifest.txt", folder);
    reading r = {.mem = mem, .filter = filter, .cases = out};
    if (oq_path_exists(path)) return each_line(mem, path, manifest_line, &r, err);
    OQ_TRY(oq_path_list(mem, folder, &kinds, &count, err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < count && status == ONNXQ_OK; i++)
        status = list_kind(mem, folder, kinds[i], filter, out, err);
    oq_path_list_free(mem, kinds, count);
    return status;
}

static oq_status ledger_line(void *self, char *text, oq_error *err) {
    const reading *r = self;
    char *operators = strchr(text, ' '), *outcome = operators ? strchr(operators + 1, ' ') : NULL;
    if (!outcome) return oq_fail(err, ONNXQ_BAD_DATA, "ledger line '%s' has no outcome", text);
    *outcome = 0;
    OQ_TRY(add_case(r->mem, r->cases, text, (size_t)(operators - text), 0, 0, outcome + 1, err));
    conformance_case *c = &r->cases->items[r->cases->count - 1];
    snprintf(c->operators, sizeof c->operators, "%s", operators + 1);
    return ONNXQ_OK;
}

oq_status conformance_ledger_read(oq_mem *mem, const char *path, conformance_cases *out, oq_error *err) {
    reading r = {.mem = mem, .cases = out};
    return each_line(mem, path, ledger_line, &r, err);
}

oq_status conformance_ledger_write(oq_mem *mem, const char *path, const conformance_cases *cases,
                                   oq_error *err) {
    oq_writer *writer;
    OQ_TRY(oq_writer_open(mem, path, &writer, err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < cases->count && status == ONNXQ_OK; i++) {
        char line[1500];
        const int length = snprintf(line, sizeof line, "%s %s %s\n", cases->items[i].name,
                                    cases->items[i].operators, cases->items[i].outcome);
        status = oq_writer_write(writer, line, (size_t)length, err);
    }
    if (status == ONNXQ_OK) return oq_writer_commit(writer, err);
    oq_writer_abort(writer);
    return status;
}
