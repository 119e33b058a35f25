// What saturation stands for is noted in the model, so that the float model can be had again.
#include "quant/emit.h"

#include <math.h>

// A zero point at the end of the integers tells a Relu; no number of the file tells other bounds, which the
// ends of a grid may be short of.
static bool is_told(double low, double high) { return low == 0 && isinf(high); }

// Emission takes the nodes apart that tell.
oq_status oq_emit_find_clips(oq_emitter *e, oq_arena *arena, oq_error *err) {
    e->clips = oq_arena_calloc(arena, e->plan->value_count + 1, sizeof *e->clips, err);
    if (!e->clips) return ONNXQ_NO_MEMORY;
    for (size_t v = 0; v < e->plan->value_count; v++) {
        double low, high;
        if (oq_plan_clip_taken(e->plan, (oq_value_id)v, &low, &high) && !is_told(low, high))
            e->clips[v] = (oq_range){low, high};
    }
    return ONNXQ_OK;
}

oq_status oq_emit_note_clips(const oq_emitter *e, oq_error *err) {
    oq_graph *graph = e->graph;
    oq_text text;
    oq_status status = ONNXQ_OK;
    oq_text_init(&text, e->plan->mem);
    for (size_t v = 0; v < e->plan->value_count; v++) {
        const oq_range clip = e->clips[v];
        if (e->replaced[v] && clip.min < clip.max)
            oq_text_printf(&text, "%s %.9g %.9g\n", oq_graph_value(graph, e->quantized[v])->name, clip.min,
                           clip.max);
    }
    if (text.failed)
        status = oq_fail(err, ONNXQ_NO_MEMORY, "out of memory while noting clips");
    else if (text.length)
        status = oq_model_set_metadata(graph->model, OQ_CLIPS_KEY, text.data, err);
    oq_text_release(&text);
    return status;
}
