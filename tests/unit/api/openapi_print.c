#include "api/api.h"

#include <stdio.h>

int main(void)
{
    struct api_config config = {.node_id = 1};
    struct api *api = api_new(&config);
    struct view view = {.version = 1};
    struct api_call call = {.method = SLICE_LIT("GET"), .path = SLICE_LIT("/openapi.json")};
    struct api_outcome out;
    api_call(api, &view, &call, &out);
    fwrite(out.response.body.p, 1, out.response.body.n, stdout);
    int status = out.response.status;
    api_response_free(&out.response);
    api_free(api);
    return status == 200 ? 0 : 1;
}
