// Models that are prepared and calibrated.
#include "support/calibrated.h"

#include "passes/passes.h"
#include "support/support.h"

void test_calibrated_init(test_calibrated *c, const char *text) {
    oq_error err = {0};
    oq_regions regions = {0};
    *c = (test_calibrated){0};
    c->model = test_graph(&c->mem, 13, text);
    CK_OK(oq_prepare_model(c->model, &regions, &err), &err);
    oq_regions_release(&regions);
    CK_OK(oq_infer_graph(c->model->graph, &err), &err);
    CK_OK(oq_dataset_synthetic(&c->mem, c->model->graph, 24, 5, &c->data, &err), &err);
    CK_OK(oq_calibrate(c->model->graph, c->data, NULL, &c->stats, &err), &err);
}

void test_calibrated_release(test_calibrated *c) {
    oq_stats_free(c->stats);
    oq_dataset_free(c->data);
    oq_model_free(c->model);
    ck_assert_uint_eq(atomic_load(&c->mem.used), 0);
}
