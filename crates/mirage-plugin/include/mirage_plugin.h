/* mirage_plugin.h: passes and backends of mirage in a shared library, from any language with a C ABI.
 *
 * A plugin exports one function:
 *
 *     const mirage_plugin_table *mirage_plugin(const mirage_host *host);
 *
 * It returns a table of functions that lives as long as the process. The program ("host") first compares
 * versions, then calls `describe`, then other functions. A library is never unloaded.
 *
 * Rules for both sides
 *
 * - Texts and other bytes are a pointer and a length; texts are UTF-8 without a terminating 0.
 * - Arguments belong to the host and are valid until the function returns, unless stated
 *   otherwise. Neither side frees memory of the other. A plugin answers by writing to a `mirage_writer`, during
 *   the call and on its thread, in one or more pieces.
 * - A function returns MIRAGE_OK, or MIRAGE_ERROR after writing an error to `out`: a line of plain text
 *   (what, where, what to do), or a message of the form below.
 * - Nothing may unwind out of a function: no C++ exception, no panic, no longjmp.
 * - Functions of passes and of backends may be called by any threads concurrently. An executable and
 *   its buffers are used by one thread at a time, not always the same. Buffers may be freed by any thread, also after
 *   their executable.
 * - Memory that a plugin writes to (`uint8_t *data`, handles) has guards on both sides. A plugin that
 *   writes out of bounds is not called again.
 *
 * Messages
 *
 * Maps with field names, in MessagePack, or in JSON if the table has MIRAGE_FLAG_TEXT. A plugin may write
 * either: a message that starts with `{` or `[` is JSON. Unknown fields are skipped.
 *
 *   description  {name, version, built_with, passes: [pass], backends: [backend]}
 *   pass         {name, version: 1, summary, phase, numerics, tags: [], requires: [], conflicts: [], after: [], before: [],
 *                 needs: [{op, dtype}], options: [option],
 *                 worth_trying: [[option, value]], changes_interface: false, always: false}
 *                phase     "legalize" | "simplify" | "precision" | "layout" | "fuse" | "runtime"
 *                numerics  "bit_identical" | "same_definition" | "reassociates" | {"lowers_precision": {tolerance}}
 *                          | {"lossy": {metric}}; "exact" of earlier versions means "same_definition"
 *                All fields after numerics are optional.
 *   option       {name, kind, default, doc}; default is text
 *                kind      "bool" | {"int": {min, max}} | {"float": {min, max}} | "str" | {"choice": []} | {"set": []}
 *   backend      {name, version, engine, summary, tolerance: 1e-4}; tolerance is the error of a network in f32 relative to
 *                the output's largest element; default 1e-4
 *   context      {capabilities, options: {name: text}, is_body}
 *   outcome      {outcome: "changed", rewrites: 1, notes: []} | {outcome: "unchanged", reasons: [at least one]}
 *   devices      [{index, name, details}]
 *   capabilities {lines: [{op, dtypes: [], orders: [[0,2,3,1]], channel_multiple: 1, support: "fast" | "slow"}]}
 *                op is an operation's name, "*", "region:KIND", "wide:OP" for an operation that computes in
 *                f32 internally, or "attr:NAME" for a supported attribute of a graph: "attr:static_plan" for
 *                planning and replaying, "attr:tf32_products" for products in tf32; later lines override
 *                earlier ones
 *   options      {device: 0}
 *   compilation  {notes: [], node_clock: "host" | "device"}; the clock of profiles, default "host"
 *   memory       {weight_bytes, state_bytes, planned_peak_bytes, held_bytes or nil}
 *   times        [{node, start, nanoseconds}]; node is an index in topological order, start is in nanoseconds
 *                from the beginning of the call
 *   error        {error: "argument" | "engine" | "panic", message}
 *              | {error: "unsupported", node, op, path, reason}
 *
 * Graphs
 *
 * In wire form (MessagePack, documented in mirage-ir, `wire`), or in text form if the table has
 * MIRAGE_FLAG_TEXT. A plugin may write either. `mirage graph dump` prints the text form:
 *
 *     graph "example" {
 *       input %0 "x": f32[1,4]
 *       %1: f32[1,4] = neg(%0)
 *       output "y" = %1
 *     }
 *
 * Types are texts: f32[1,3,64,64], or f16[1,8,4,4]@[0,2,3,1] with the memory order, outermost first.
 */
#ifndef MIRAGE_PLUGIN_H
#define MIRAGE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the functions and structs below: equal on both sides. */
#define MIRAGE_ABI_VERSION 1u
/* The version of the messages: equal on both sides. */
#define MIRAGE_SCHEMA_VERSION 1u
/* The newest version of the wire form of graphs. A plugin may state an older one, which the host then uses. */
#define MIRAGE_GRAPH_VERSION 2u

/* In mirage_plugin_table.flags: graphs come in text form, messages as JSON. */
#define MIRAGE_FLAG_TEXT 1u

#define MIRAGE_OK 0
#define MIRAGE_ERROR 1

/* Levels of mirage_host.log. */
#define MIRAGE_LOG_ERROR 1u
#define MIRAGE_LOG_WARN 2u
#define MIRAGE_LOG_INFO 3u
#define MIRAGE_LOG_DEBUG 4u
#define MIRAGE_LOG_TRACE 5u

#if defined(_WIN32)
#define MIRAGE_EXPORT __declspec(dllexport)
#else
#define MIRAGE_EXPORT __attribute__((visibility("default")))
#endif

/* Bytes of the host; data may be null where len is 0. They may be unaligned: copy elements of more than a byte
 * by memcpy instead of reading through a pointer of their type. The same holds for memory that a function fills. */
typedef struct mirage_bytes {
    const uint8_t *data;
    size_t len;
} mirage_bytes;

/* A writer for answers. `write` returns 0, or nonzero if the host accepts no more. */
typedef struct mirage_writer {
    void *context;
    int32_t (*write)(void *context, const uint8_t *data, size_t len);
} mirage_writer;

/* A tensor of the host: elements in logical row-major sequence, little endian, one byte for a bool.
 *
 * The elements are not copied: they are valid until the function returns, and longer while the plugin
 * retains `owner` by mirage_host.retain. They must not be written. The struct and both texts are valid until the
 * function returns. */
typedef struct mirage_tensor {
    mirage_bytes name; /* a parameter's name, else empty */
    mirage_bytes type;
    mirage_bytes data;
    const void *owner;
} mirage_tensor;

/* The functions of the host; it lives as long as the process, and any thread may use it at any time. */
typedef struct mirage_host {
    uint32_t abi_version;
    uint32_t schema_version;
    uint32_t graph_version;
    uint32_t flags; /* 0 */
    size_t size;    /* sizeof(mirage_host) of the host; later versions append fields */
    const void *context;
    /* Whether a message of this level would be logged. */
    int32_t (*log_enabled)(const void *context, uint32_t level);
    /* Logs a message. A plugin must not print. */
    void (*log)(const void *context, uint32_t level, mirage_bytes target, mirage_bytes message);
    /* Keeps a tensor's elements alive until the matching call of release. */
    void (*retain)(const void *owner);
    void (*release)(const void *owner);
} mirage_host;

/* Opaque objects of the plugin. */
typedef struct mirage_executable mirage_executable;
typedef struct mirage_buffer mirage_buffer;

/* The functions of a plugin. The first five fields are the same in every version of the ABI. Functions may be
 * null: those of passes if it has none, those of backends likewise, and those marked optional. */
typedef struct mirage_plugin_table {
    uint32_t abi_version;
    uint32_t schema_version;
    uint32_t graph_version;
    uint32_t flags;
    size_t size; /* sizeof(mirage_plugin_table) of the plugin */

    /* Writes a description. A plugin that cannot be used on this machine returns an error. */
    int32_t (*describe)(const mirage_writer *out);

    /* Runs the pass with this index in the description. Writes an outcome to `out`, and the graph to `graph_out`
     * if it changed. */
    int32_t (*pass_run)(uint32_t pass, mirage_bytes graph, mirage_bytes context,
                        const mirage_writer *graph_out, const mirage_writer *out);

    /* Writes devices; an empty list if the hardware is missing. */
    int32_t (*backend_devices)(uint32_t backend, const mirage_writer *out);
    /* Writes capabilities of a device. */
    int32_t (*backend_capabilities)(uint32_t backend, uint64_t device, const mirage_writer *out);
    /* Compiles a graph with `count` named parameters. Sets `*executable` and writes a compilation. */
    int32_t (*backend_compile)(uint32_t backend, mirage_bytes graph, mirage_bytes options,
                               const mirage_tensor *params, size_t count,
                               mirage_executable **executable, const mirage_writer *out);
    void (*executable_free)(mirage_executable *executable);
    /* Optional. Writes memory. */
    int32_t (*executable_memory)(mirage_executable *executable, const mirage_writer *out);
    /* Optional. Waits until the device has finished all work. */
    int32_t (*executable_synchronize)(mirage_executable *executable, const mirage_writer *out);

    /* Copies a tensor to the device, in the memory order of its type. Sets `*buffer`. */
    int32_t (*buffer_upload)(mirage_executable *executable, const mirage_tensor *tensor,
                             mirage_buffer **buffer, const mirage_writer *out);
    /* Copies all `len` bytes of a buffer to `data`, in logical row-major sequence. `data` contains zeros. */
    int32_t (*buffer_download)(mirage_executable *executable, mirage_buffer *buffer, uint8_t *data,
                               size_t len, const mirage_writer *out);
    void (*buffer_free)(mirage_buffer *buffer);

    /* Runs once: reads inputs (in the graph's sequence) and states, sets each of `outputs` to a new buffer, and updates
     * the states. After an error the states are unchanged and no output is set. */
    int32_t (*execute)(mirage_executable *executable, mirage_buffer *const *inputs, size_t input_count,
                       mirage_buffer **outputs, size_t output_count, const mirage_writer *out);
    /* Optional. Like execute, into existing buffers. `outputs` itself is not written. */
    int32_t (*execute_into)(mirage_executable *executable, mirage_buffer *const *inputs,
                            size_t input_count, mirage_buffer **outputs, size_t output_count,
                            const mirage_writer *out);
    /* Optional. Like execute, and writes times. */
    int32_t (*profile)(mirage_executable *executable, mirage_buffer *const *inputs, size_t input_count,
                       mirage_buffer **outputs, size_t output_count, const mirage_writer *out);

    /* Optional, like the two below. A backend without them runs graphs, but sessions that import, export or reset states fail. */
    int32_t (*state_export)(mirage_executable *executable, mirage_bytes name, uint8_t *data, size_t len,
                            const mirage_writer *out);
    int32_t (*state_import)(mirage_executable *executable, mirage_bytes name,
                            const mirage_tensor *tensor, const mirage_writer *out);
    /* Sets every state to zeros. */
    int32_t (*states_reset)(mirage_executable *executable, const mirage_writer *out);
} mirage_plugin_table;

/* The only function that a plugin exports. */
MIRAGE_EXPORT const mirage_plugin_table *mirage_plugin(const mirage_host *host);

#ifdef __cplusplus
}
#endif

#endif
