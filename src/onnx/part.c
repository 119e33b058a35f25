// Cutting one message into plain fields, which protobuf-c reads, and fields read on their own or carried
// along.
#include "onnx/import.h"

#include <string.h>

typedef enum field_fate { PLAIN, APART, CARRIED } field_fate;

static field_fate fate_of(const oq_layout *layout, const oq_field *field) {
    if (!field->known) return CARRIED;
    for (const size_t *offset = layout->apart; *offset; offset++)
        if (*offset == field->known->offset) return APART;
    for (const size_t *offset = layout->carried; *offset; offset++)
        if (*offset == field->known->offset) return CARRIED;
    return PLAIN;
}

static void *scratch_alloc(void *arena, size_t size) { return oq_arena_alloc(arena, size, NULL); }

static void scratch_free(void *arena, void *block) { (void)arena, (void)block; }

typedef struct sizes {
    size_t plain, carried, apart;
} sizes;

static sizes measure(const oq_layout *layout, oq_cursor cursor) {
    sizes total = {0};
    oq_field field;
    while (oq_cursor_next(&cursor, &field)) {
        const field_fate fate = fate_of(layout, &field);
        const size_t size = (size_t)(field.offset + field.size - field.start);
        if (fate == PLAIN) total.plain += size;
        if (fate == CARRIED) total.carried += size;
        if (fate == APART) total.apart++;
    }
    return total;
}

// Carried bytes come from the file itself, since large payloads inside them are not kept in memory.
static oq_status distribute(oq_importer *importer, const oq_layout *layout, oq_cursor cursor, uint8_t *plain,
                            uint8_t *carried, oq_field *apart, oq_error *err) {
    oq_field field;
    while (oq_cursor_next(&cursor, &field)) {
        const field_fate fate = fate_of(layout, &field);
        const size_t size = (size_t)(field.offset + field.size - field.start);
        if (fate == PLAIN) {
            memcpy(plain, oq_image_at(&importer->image, field.start), size);
            plain += size;
        } else if (fate == CARRIED) {
            OQ_TRY(oq_file_read(importer->image.file, field.start, carried, size, err));
            carried += size;
        } else {
            *apart++ = field;
        }
    }
    return ONNXQ_OK;
}

oq_status oq_part_read(oq_importer *importer, const oq_layout *layout, const oq_field *field, oq_part *out,
                       oq_error *err) {
    *out = (oq_part){0};
    oq_arena_init(&out->scratch, importer->model->mem);
    const oq_cursor cursor = oq_cursor_of(&importer->image, layout->message, field);
    const sizes total = measure(layout, cursor);
    uint8_t *plain = oq_arena_alloc(&out->scratch, total.plain, err);
    out->apart = oq_arena_calloc(&out->scratch, total.apart, sizeof *out->apart, err);
    uint8_t *carried = total.carried ? oq_arena_alloc(&importer->model->arena, total.carried, err) : NULL;
    if (!plain || !out->apart || (total.carried && !carried)) return ONNXQ_NO_MEMORY;
    out->apart_count = total.apart;
    out->carried = (oq_bytes){.data = carried, .size = total.carried};
    OQ_TRY(distribute(importer, layout, cursor, plain, carried, out->apart, err));
    ProtobufCAllocator allocator = {scratch_alloc, scratch_free, &out->scratch};
    out->plain = protobuf_c_message_unpack(layout->message, &allocator, total.plain, plain);
    if (out->plain) return ONNXQ_OK;
    // The scan has refused everything malformed, so only memory can be missing.
    return oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for a %s of %zu bytes at byte %llu",
                   layout->message->short_name, total.plain, (unsigned long long)field->start);
}

void oq_part_release(oq_part *part) { oq_arena_release(&part->scratch); }

const char *oq_import_text(oq_importer *importer, const char *text, oq_error *err) {
    return text && text[0] ? oq_arena_strdup(&importer->model->arena, text, err) : "";
}

oq_status oq_import_pairs(oq_importer *importer, Onnx__StringStringEntryProto *const *entries, size_t count,
                          oq_pair **pairs, size_t *pair_count, oq_error *err) {
    *pair_count = 0;
    if (!count) return ONNXQ_OK;
    oq_pair *list = oq_arena_calloc(&importer->model->arena, count, sizeof *list, err);
    if (!list) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        list[i].key = oq_import_text(importer, entries[i]->key, err);
        list[i].text = oq_import_text(importer, entries[i]->value, err);
        if (!list[i].key || !list[i].text) return ONNXQ_NO_MEMORY;
    }
    *pairs = list;
    *pair_count = count;
    return ONNXQ_OK;
}

oq_origin oq_import_origin(const oq_field *field, oq_bytes carried) {
    return (oq_origin){
        .offset = field->start, .size = field->offset + field->size - field->start, .unknown = carried};
}
