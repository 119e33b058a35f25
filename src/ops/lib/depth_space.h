// DepthToSpace and SpaceToDepth: blocks between channels and pixels.
#ifndef OQ_OPS_LIB_DEPTH_SPACE_H
#define OQ_OPS_LIB_DEPTH_SPACE_H

#include "ops/lib/schema.h"

oq_status oq_run_depth_to_space(oq_run_context *context, oq_error *err);
oq_status oq_run_space_to_depth(oq_run_context *context, oq_error *err);
oq_status oq_infer_depth_to_space(oq_infer_context *context, oq_error *err);
oq_status oq_infer_space_to_depth(oq_infer_context *context, oq_error *err);

#endif
