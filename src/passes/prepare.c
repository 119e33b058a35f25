// The form on which calibration and quantization work.
#include "passes/passes.h"

// What depends on looked up rows alone is looked up, too.
static oq_status look_up(oq_graph *graph, oq_error *err) {
    size_t products, functions;
    OQ_TRY(oq_infer_graph(graph, err));
    OQ_TRY(oq_pass_look_up(graph, &products, err));
    OQ_TRY(oq_pass_functions_of_rows(graph, &functions, err));
    if (!products && !functions) return ONNXQ_OK;
    OQ_TRY(oq_graph_sweep(graph, true, err));
    OQ_TRY(oq_infer_graph(graph, err));
    return oq_pass_fold_constants(graph, err);
}

oq_status oq_prepare_model(oq_model *model, oq_regions *regions, oq_error *err) {
    oq_graph *graph = model->graph;
    OQ_TRY(oq_infer_graph(graph, err));
    OQ_TRY(oq_pass_fold_constants(graph, err));
    OQ_TRY(oq_pass_remove_no_ops(graph, err));
    OQ_TRY(look_up(graph, err));
    OQ_TRY(oq_pass_lift_constants(graph, err));
    OQ_TRY(oq_pass_fold_batch_norm(graph, err));
    // Behind a product and the bias that it took in; what it is split into goes into the product, too.
    OQ_TRY(oq_pass_split_hard_sigmoid(graph, err));
    OQ_TRY(oq_pass_fold_batch_norm(graph, err));
    OQ_TRY(oq_infer_graph(graph, err));
    OQ_TRY(oq_pass_find_regions(graph, regions, err));
    OQ_TRY(oq_pass_fold_batch_norm_before(graph, err));
    oq_regions_release(regions);
    OQ_TRY(oq_pass_fold_pads(graph, err));
    OQ_TRY(oq_graph_sweep(graph, true, err));
    OQ_TRY(oq_infer_graph(graph, err));
    OQ_TRY(oq_pass_find_regions(graph, regions, err));
    OQ_TRY(oq_pass_write_canonical(graph, regions, err));
    OQ_TRY(oq_infer_graph(graph, err));
    oq_regions_release(regions);
    return oq_pass_find_regions(graph, regions, err);
}
