// SpaceToDepth: the same elements in another order.
#include "quant/rule.h"

const oq_rule oq_rule_SpaceToDepth = {.op_type = "SpaceToDepth", .kind = OQ_RULE_PASSTHROUGH, .early = true};
