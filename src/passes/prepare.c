// The form on which calibration and quantization work.
#include "passes/passes.h"

oq_status oq_prepare_model(oq_model *model, oq_regions *regions, oq_error *err) {
    oq_graph *graph = model->graph;
    OQ_TRY(oq_infer_graph(graph, err));
    OQ_TRY(oq_pass_fold_constants(graph, err));
    OQ_TRY(oq_pass_remove_no_ops(graph, err));
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
