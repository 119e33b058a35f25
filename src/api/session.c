// Sessions: memory, threads, where talk goes.
#include "api/api.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static oq_status copy_text(oq_mem *mem, const char *text, char **out, oq_error *err) {
    const size_t size = strlen(text) + 1;
    *out = oq_mem_alloc(mem, size, err);
    if (!*out) return ONNXQ_NO_MEMORY;
    memcpy(*out, text, size);
    return ONNXQ_OK;
}

// The one allocation that cannot be accounted: the account itself.
onnxq_status onnxq_session_new(const onnxq_session_options *options, onnxq_session **out, onnxq_error *err) {
    const onnxq_session_options none = {0};
    const onnxq_session_options *o = options ? options : &none;
    *out = NULL;
    onnxq_session *session = calloc(1, sizeof *session);
    if (!session) return oq_fail(err, ONNXQ_NO_MEMORY, "out of memory for a session");
    session->mem.budget = o->memory_budget;
    session->progress = (oq_progress){.self = o->self, .step = o->progress, .note = o->note};
    oq_status status = oq_pool_new(&session->mem, o->threads, &session->pool, err);
    if (status == ONNXQ_OK && o->cache) status = copy_text(&session->mem, o->cache, &session->cache, err);
    if (status != ONNXQ_OK) {
        onnxq_session_free(session);
        return status;
    }
    *out = session;
    return ONNXQ_OK;
}

void onnxq_session_free(onnxq_session *session) {
    if (!session) return;
    oq_mem_free(&session->mem, session->cache);
    oq_pool_free(session->pool);
    free(session);
}

size_t onnxq_session_peak_memory(const onnxq_session *session) { return atomic_load(&session->mem.peak); }

void onnxq_text_free(onnxq_session *session, char *text) {
    if (text) oq_mem_free(&session->mem, text);
}

const char *onnxq_nearest_word(const char *word, const char *const *candidates, size_t count) {
    return oq_nearest_word(word, candidates, count);
}

double oq_seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
