#include "api/internal.h"

#include "base/check.h"

#include <stdio.h>

void api_response_free(struct api_response *r)
{
    bytes_free(&r->body);
}

void api_field(struct api_ctx *x, const char *name, const char *fmt, ...)
{
    ASSERT(x->resp->fields_n < sizeof x->resp->field / sizeof x->resp->field[0]);
    va_list ap;
    va_start(ap, fmt);
    size_t i = x->resp->fields_n++;
    x->resp->field[i].name = name;
    vsnprintf(x->resp->field[i].value, sizeof x->resp->field[i].value, fmt, ap);
    va_end(ap);
}

void api_json(struct api_ctx *x, int status, struct json_writer *w)
{
    x->resp->status = status;
    x->resp->content_type = "application/json";
    bytes_clear(&x->resp->body);
    json_writer_init(w, &x->resp->body);
}

static const char *title_of(int status)
{
    switch (status) {
    case 400:
        return "The request cannot be understood";
    case 401:
        return "A token is needed";
    case 403:
        return "Not allowed";
    case 404:
        return "Not found";
    case 405:
        return "Method not allowed";
    case 409:
        return "Conflict";
    case 412:
        return "Precondition failed";
    case 413:
        return "Too large";
    case 422:
        return "Refused by the rules";
    case 501:
        return "Not built yet";
    case 503:
        return "Try again later";
    default:
        return "Failed";
    }
}

static void begin_problem(struct api_ctx *x, int status, const char *code, struct slice detail,
                          struct json_writer *w)
{
    api_json(x, status, w);
    x->resp->content_type = "application/problem+json";
    json_begin_object(w);
    json_name(w, "type");
    json_put_cstr(w, arena_printf(x->arena, "urn:writ:problem:%s", code));
    json_name(w, "title");
    json_put_cstr(w, title_of(status));
    json_name(w, "status");
    json_put_int(w, status);
    json_name(w, "detail");
    json_put_string(w, detail);
    json_name(w, "code");
    json_put_cstr(w, code);
}

void api_problem(struct api_ctx *x, int status, const char *code, const char *fmt, ...)
{
    char detail[640];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    struct json_writer w;
    begin_problem(x, status, code, slice_str(detail), &w);
    json_end_object(&w);
}

static void put_errors(struct json_writer *w, const struct document_errors *errors)
{
    json_name(w, "errors");
    json_begin_array(w);
    for (size_t i = 0; i < errors->n; i++) {
        json_begin_object(w);
        json_name(w, "code");
        json_put_cstr(w, errors->item[i].code);
        json_name(w, "pointer");
        json_put_cstr(w, errors->item[i].pointer);
        json_name(w, "detail");
        json_put_cstr(w, errors->item[i].detail);
        json_end_object(w);
    }
    json_end_array(w);
}

void api_problem_list(struct api_ctx *x, int status, const char *code, const char *detail,
                      const struct document_errors *errors)
{
    struct json_writer w;
    begin_problem(x, status, code, slice_str(detail), &w);
    put_errors(&w, errors);
    json_end_object(&w);
}

int api_status_of(enum err_code code, const char *reason)
{
    switch (code) {
    case ERR_OK:
        return 200;
    case ERR_INVALID:
        return 422;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
        return strncmp(reason, "if-", 3) == 0 ? 412 : 409;
    case ERR_LIMIT:
        return 413;
    case ERR_UNSUPPORTED:
        return 501;
    case ERR_DENIED:
        return 403;
    case ERR_UNAVAILABLE:
        return 503;
    case ERR_CORRUPT:
    case ERR_IO:
        break;
    }
    return 500;
}

void api_problem_result(struct api_ctx *x, const struct result *r)
{
    const char *code = r->reason[0] ? r->reason : err_code_name(r->code);
    struct json_writer w;
    begin_problem(x, api_status_of(r->code, r->reason), code, slice_str(r->message), &w);
    json_name(&w, "catalogue_version");
    json_put_int(&w, (int64_t)r->version);
    if (r->violations.n)
        put_errors(&w, &r->violations);
    json_end_object(&w);
}
