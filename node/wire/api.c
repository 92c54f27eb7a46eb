#include "wire/api.h"

const struct wire_api wire_api[] = {
#define API(key, sname, name, first, last, served, codec_first, codec_last, flexible)              \
    {key, name, first, last, served, codec_first, codec_last, flexible},
#include "wire/api.def"
};
const size_t wire_apis_n = sizeof(wire_api) / sizeof(wire_api[0]);

const struct wire_api *wire_api_find(int16_t key)
{
    for (size_t i = 0; i < wire_apis_n; i++) {
        if (wire_api[i].key == key)
            return &wire_api[i];
    }
    return NULL;
}

bool wire_api_serves(int16_t key, int16_t version)
{
    const struct wire_api *api = wire_api_find(key);
    return api && version >= api->served_first && version <= api->last;
}

bool wire_api_codec_has(int16_t key, int16_t version)
{
    const struct wire_api *api = wire_api_find(key);
    return api && version >= api->codec_first && version <= api->codec_last;
}

bool wire_api_is_flexible(int16_t key, int16_t version)
{
    const struct wire_api *api = wire_api_find(key);
    return api && version >= api->flexible_first;
}
