// Tile: copies of the elements.
#include "quant/rule.h"

const oq_rule oq_rule_Tile = {.op_type = "Tile", .kind = OQ_RULE_PASSTHROUGH, .early = true};
