#include <librdkafka/rdkafka.h>
// Only tests use it; a module of its own would declare everything twice.
#include <librdkafka/rdkafka_mock.h>
