#include <curl/curl.h>

/// `curl_easy_setopt`, `curl_multi_setopt` and `curl_easy_getinfo` are variadic, which Swift cannot call: one function for
/// each type of argument. In parentheses: curl's own macros of these names check types and would be in the way.
static inline CURLcode replay_curl_number(CURL *handle, CURLoption option, long value) {
  return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode replay_curl_size(CURL *handle, CURLoption option, curl_off_t value) {
  return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode replay_curl_text(CURL *handle, CURLoption option, const char *value) {
  return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode replay_curl_list(CURL *handle, CURLoption option, struct curl_slist *value) {
  return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode replay_curl_context(CURL *handle, CURLoption option, void *value) {
  return (curl_easy_setopt)(handle, option, value);
}

typedef size_t (*replay_curl_sink)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode replay_curl_taking(CURL *handle, CURLoption option, replay_curl_sink value) {
  return (curl_easy_setopt)(handle, option, value);
}

typedef int (*replay_curl_gate)(void *context, char *, char *, int, int);

static inline CURLcode replay_curl_asking(CURL *handle, replay_curl_gate value) {
  return (curl_easy_setopt)(handle, CURLOPT_PREREQFUNCTION, value);
}

/// HTTP/1.1 for all: one call at a time is under way, and a plain proxy or test server speaks nothing else.
static inline CURLcode replay_curl_version(CURL *handle) {
  return (curl_easy_setopt)(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

static inline CURLcode replay_curl_begin(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

/// The status of the last answer; 0 where there was none.
static inline long replay_curl_status(CURL *handle) {
  long status = 0;
  (curl_easy_getinfo)(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

/// Bytes of the last request's head that were sent.
static inline long replay_curl_sent(CURL *handle) {
  long bytes = 0;
  (curl_easy_getinfo)(handle, CURLINFO_REQUEST_SIZE, &bytes);
  return bytes;
}
