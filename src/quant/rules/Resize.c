// Resize: copies of elements when it takes the nearest one; interpolation makes new values and is a barrier.
#include "quant/rule.h"

#include <string.h>

static bool moves(oq_graph *graph, const oq_node *node) {
    (void)graph;
    return strcmp(oq_node_string(node, "mode", "nearest"), "nearest") == 0 &&
           strcmp(oq_node_string(node, "coordinate_transformation_mode", "half_pixel"),
                  "tf_crop_and_resize") != 0;
}

const oq_rule oq_rule_Resize = {
    .op_type = "Resize", .kind = OQ_RULE_PASSTHROUGH, .early = true, .moves = moves};
