// From statistics to a plan and from a plan to a quantized graph.
#include "tune/quantize.h"

// Where the functions behind quantized values give nothing any more, their ranges end. The upgrade may have
// made other nodes, so regions are found anew.
static oq_status find_floors(oq_quantization *q, oq_error *err) {
    OQ_TRY(oq_pass_find_regions(q->model->graph, &q->regions, err));
    q->floors = oq_mem_calloc(q->model->mem, q->regions.count + 1, sizeof *q->floors, err);
    if (!q->floors) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < q->regions.count; i++)
        q->floors[i] = (oq_floor){.value = q->regions.items[i].input,
                                  .region = (int)i,
                                  .low = oq_region_floor(q->regions.items[i].kind)};
    q->quant.floors = q->floors;
    q->quant.floor_count = q->regions.count;
    return ONNXQ_OK;
}

// Inputs that are really integers. Grids of 256 levels hold them, and only with a zero point.
static oq_status find_input_grids(oq_quantization *q, oq_error *err) {
    oq_graph *graph = q->model->graph;
    if (q->quant.activation_bits != 8 || q->quant.activation_symmetric) return ONNXQ_OK;
    bool *chosen = oq_mem_calloc(q->model->mem, graph->node_count + 1, sizeof *chosen, err);
    if (!chosen) return ONNXQ_NO_MEMORY;
    const oq_input_grid_options options = {
        .chosen = chosen, .weight_bits = q->quant.weight_bits, .per_channel = q->quant.per_channel};
    oq_status status = oq_quant_chosen(graph, &q->quant, chosen, err);
    if (status == ONNXQ_OK) status = oq_pass_input_grid(graph, &options, q->stats, &q->input_grids, err);
    if (status == ONNXQ_OK && q->input_grids) status = oq_infer_graph(graph, err);
    oq_mem_free(q->model->mem, chosen);
    return status;
}

// *chosen: a block, by node; freed first where it is one already, as nodes may have come.
static oq_status choose(const oq_quantization *q, bool **chosen, oq_error *err) {
    oq_mem *mem = q->model->mem;
    oq_mem_free(mem, *chosen);
    *chosen = oq_mem_calloc(mem, q->model->graph->node_count + 1, sizeof **chosen, err);
    return *chosen ? oq_quant_chosen(q->model->graph, &q->quant, *chosen, err) : ONNXQ_NO_MEMORY;
}

static oq_status equalize(const oq_quantization *q, bool *chosen, size_t *changed, oq_error *err) {
    const oq_equalize_options options = {.chosen = chosen,
                                         .activation_bits = q->quant.activation_bits,
                                         .weight_bits = q->quant.weight_bits,
                                         .per_channel = q->quant.per_channel,
                                         .split_rows = q->quant.split_rows};
    // Channels that stand out in made-up samples are not those of real ones.
    if (q->stats->synthetic && q->quant.per_channel) return ONNXQ_OK;
    return oq_pass_equalize(q->model->graph, &options, q->stats, changed, err);
}

static oq_status smooth(const oq_quantization *q, bool *chosen, size_t *changed, oq_error *err) {
    const oq_smooth_options options = {.chosen = chosen,
                                       .activation_bits = q->quant.activation_bits,
                                       .weight_bits = q->quant.weight_bits,
                                       .per_channel = q->quant.per_channel};
    return q->stats->synthetic ? ONNXQ_OK : oq_pass_smooth(q->model->graph, &options, q->stats, changed, err);
}

static oq_status split(oq_quantization *q, const bool *chosen, oq_error *err) {
    const oq_split_rows_options options = {
        .chosen = chosen, .node_count = q->model->graph->node_count, .weight_bits = q->quant.weight_bits};
    return oq_pass_split_rows(q->model->graph, &options, q->stats, &q->split, err);
}

static oq_status rescale(oq_quantization *q, oq_error *err) {
    oq_graph *graph = q->model->graph;
    bool *chosen = NULL;
    size_t convolutions, slopes = 0, equalized = 0, smoothed = 0;
    oq_status status;
    OQ_TRY_DONE(choose(q, &chosen, err));
    OQ_TRY_DONE(oq_pass_sub_pixel(graph, chosen, q->stats, &convolutions, err));
    if (q->quant.elementwise && q->quant.activation_bits == 8 && !q->quant.activation_symmetric)
        OQ_TRY_DONE(oq_pass_slopes(graph, chosen, q->stats, &slopes, err));
    if (convolutions || slopes) {
        OQ_TRY_DONE(oq_infer_graph(graph, err));
        OQ_TRY_DONE(choose(q, &chosen, err));
    }
    OQ_TRY_DONE(equalize(q, chosen, &equalized, err));
    if (q->quant.split_rows) OQ_TRY_DONE(split(q, chosen, err));
    if (q->split) {
        OQ_TRY_DONE(oq_infer_graph(graph, err));
        OQ_TRY_DONE(choose(q, &chosen, err));
    }
    OQ_TRY_DONE(smooth(q, chosen, &smoothed, err));
    if (equalized || smoothed) OQ_TRY_DONE(oq_infer_graph(graph, err));
done:
    oq_mem_free(q->model->mem, chosen);
    return status;
}

static oq_status copy_statistics(oq_quantization *q, const oq_stats *stats, oq_error *err) {
    OQ_TRY(oq_stats_new(stats->mem, &q->stats, err));
    return oq_stats_merge(q->stats, stats, err);
}

// Weight-only mode leaves the graph as it is.
static oq_status begin_storage(oq_quantization *q, const oq_stats *stats, oq_error *err) {
    int64_t opset;
    OQ_TRY(oq_storage_opset(q->model->graph, &q->quant, &opset, err));
    OQ_TRY(oq_pass_upgrade_opset(q->model, opset, err));
    OQ_TRY(oq_infer_graph(q->model->graph, err));
    return stats ? copy_statistics(q, stats, err) : ONNXQ_OK;
}

oq_status oq_quantization_begin(oq_quantization *q, oq_model *model, const oq_stats *stats,
                                const oq_quant_options *quant, oq_error *err) {
    *q = (oq_quantization){.model = model, .quant = *quant};
    if (quant->mode == OQ_MODE_WEIGHT_ONLY) return begin_storage(q, stats, err);
    // What made-up samples hold rarely, real ones may hold often.
    if (stats->synthetic && quant->method == OQ_RANGE_AUTO) q->quant.method = OQ_RANGE_MINMAX;
    OQ_TRY(oq_pass_upgrade_opset(model, oq_quant_minimum_opset(quant), err));
    OQ_TRY(oq_infer_graph(model->graph, err));
    OQ_TRY(find_floors(q, err));
    // A copy, which gets entries for the values that arise.
    OQ_TRY(copy_statistics(q, stats, err));
    OQ_TRY(find_input_grids(q, err));
    return rescale(q, err);
}

void oq_quantization_release(oq_quantization *q) {
    oq_stats_free(q->stats);
    oq_regions_release(&q->regions);
    if (q->model) oq_mem_free(q->model->mem, q->floors);
    *q = (oq_quantization){0};
}

oq_status oq_quantization_plan(const oq_quantization *q, const oq_dataset *data,
                               const oq_correct_options *options, oq_plan **plan, oq_correction *correction,
                               oq_error *err) {
    OQ_TRY(oq_plan_make(q->model->graph, q->stats, &q->quant, plan, err));
    if (!data || !oq_tuning_any(&options->tuning)) return ONNXQ_OK;
    const oq_status status = oq_correct_plan(*plan, q->model, data, options, correction, err);
    if (status == ONNXQ_OK) return ONNXQ_OK;
    oq_plan_free(*plan);
    *plan = NULL;
    return status;
}

oq_status oq_quantization_write(oq_plan *plan, oq_graph *graph, oq_error *err) {
    OQ_TRY(oq_plan_emit(plan, graph, err));
    return oq_pass_upgrade_opset(graph->model, oq_plan_minimum_opset(plan), err);
}

oq_status oq_tables_emit(oq_graph *graph, const oq_quant_options *quant, const oq_plan *plan,
                         oq_storage **tables, oq_error *err) {
    oq_storage *storage = NULL;
    if (tables) *tables = NULL;
    if (!quant->embedding_bits) return ONNXQ_OK;
    oq_status status = oq_weights_store(graph->model, NULL, quant, &storage, err);
    if (status == ONNXQ_OK && plan) status = oq_storage_tie(storage, plan, err);
    if (status == ONNXQ_OK && storage->count) status = oq_storage_emit(storage, graph, err);
    if (status != ONNXQ_OK || !tables || !storage->use_count)
        oq_storage_free(storage);
    else
        *tables = storage;
    return status;
}

oq_status oq_quantization_emit(const oq_quantization *q, oq_plan *plan, oq_graph *graph, oq_storage **tables,
                               oq_error *err) {
    OQ_TRY(oq_quantization_write(plan, graph, err));
    OQ_TRY(oq_tables_emit(graph, &q->quant, plan, tables, err));
    OQ_TRY(oq_graph_sweep(graph, true, err));
    OQ_TRY(oq_infer_graph(graph, err));
    OQ_TRY(oq_check_graph(graph, false, err));
    if (!q->stats->synthetic) return ONNXQ_OK;
    return oq_model_set_metadata(graph->model, "onnxq.calibration",
                                 "made-up samples: ranges are not of real inputs", err);
}

oq_status oq_weights_store(oq_model *model, const oq_stats *stats, const oq_quant_options *quant,
                           oq_storage **storage, oq_error *err) {
    int64_t opset;
    *storage = NULL;
    if (quant->mode == OQ_MODE_WEIGHT_ONLY) OQ_TRY(oq_pass_turn_weights(model->graph, err));
    OQ_TRY(oq_storage_opset(model->graph, quant, &opset, err));
    OQ_TRY(oq_pass_upgrade_opset(model, opset, err));
    OQ_TRY(oq_infer_graph(model->graph, err));
    return oq_storage_make(model->graph, stats, quant, storage, err);
}

oq_status oq_weights_emit(const oq_storage *storage, oq_error *err) {
    OQ_TRY(oq_storage_emit(storage, storage->graph, err));
    OQ_TRY(oq_graph_sweep(storage->graph, true, err));
    OQ_TRY(oq_infer_graph(storage->graph, err));
    return oq_check_graph(storage->graph, false, err);
}
