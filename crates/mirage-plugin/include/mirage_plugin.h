/* mirage_plugin.h: passes and backends for mirage in a shared library, from any language that speaks C.
 *
 * A plugin exports one function:
 *
 *     const mirage_plugin_table *mirage_plugin(const mirage_host *host);
 *
 * It gives a table of functions that lives as long as the process. The program ("host") first compares
 * versions, then calls `describe`, then whatever it needs. A library is never unloaded.
 *
 * Rules for both sides
 *
 * - Texts and other bytes are a pointer and a length, UTF-8 where they are text, never ended by 0.
 * - What the host passes in belongs to the host and is there until the function returns, unless said
 *   otherwise. No side frees memory of the other. A plugin answers by writing to a `mirage_writer`, during
 *   the call and on its thread, in one piece or in many.
 * - A function gives MIRAGE_OK, or MIRAGE_ERROR after it has written to `out` why: a line of plain text
 *   (what, where, what to do), or a message of the form below.
 * - Nothing may unwind out of a function: no C++ exception, no panic, no longjmp.
 * - Functions of passes and of backends may be called by any threads, several at a time. An executable and
 *   its buffers are used by one thread at a time, not always the same; buffers may be freed by any thread, and after
 *   their executable.
 * - Places that a plugin writes to (`uint8_t *data`, handles) have marks on both sides. A plugin that
 *   writes past an end is not called again.
 *
 * Messages
 *
 * Maps by name, in MessagePack, or in JSON where the table has MIRAGE_FLAG_TEXT. What a plugin writes may be
 * either: a message that starts with `{` or `[` is JSON. Unknown fields are skipped.
 *
 *   description  {name, version, built_with, passes: [pass], backends: [backend]}
 *   pass         {name, version: 1, summary, phase, numerics, tags: [], requires: [], conflicts: [], after: [], before: [],
 *                 needs: [{op, dtype}], options: [option],
 *                 worth_trying: [[option, value]], changes_interface: false, always: false}
 *                phase     "legalize" | "simplify" | "precision" | "layout" | "fuse" | "runtime"
 *                numerics  "bit_identical" | "same_definition" | "reassociates" | {"lowers_precision": {tolerance}}
 *                          | {"lossy": {metric}}; "exact", of earlier versions, is "same_definition"
 *                All after numerics may be left out.
 *   option       {name, kind, default, doc}; default is text
 *                kind      "bool" | {"int": {min, max}} | {"float": {min, max}} | "str" | {"choice": []} | {"set": []}
 *   backend      {name, version, engine, summary, tolerance: 1e-4}, what a network in f32 may differ by from
 *                exact arithmetic, in units of the output's largest element; 1e-4 if left out
 *   context      {capabilities, options: {name: text}, is_body}
 *   outcome      {outcome: "changed", rewrites: 1, notes: []} | {outcome: "unchanged", reasons: [one at least]}
 *   devices      [{index, name, details}]
 *   capabilities {lines: [{op, dtypes: [], orders: [[0,2,3,1]], channel_multiple: 1, support: "fast" | "slow"}]}
 *                op is an operation's name, "*", "region:KIND", "wide:OP" for an operation that is computed in
 *                f32 inside, or "attr:NAME" for an attribute of a graph that the backend heeds: "attr:static_plan"
 *                if it plans and replays, "attr:tf32_products" if it multiplies in tf32; later lines outrank
 *                earlier ones
 *   options      {device: 0}
 *   compilation  {notes: [], node_clock: "host" | "device"}, whose clock times nodes of a profile; host if left out
 *   memory       {weight_bytes, state_bytes, planned_peak_bytes, held_bytes or nil}
 *   times        [{node, start, nanoseconds}]; node is a place in topological order, start counts from
 *                the beginning of the call, in nanoseconds too
 *   error        {error: "argument" | "engine" | "panic", message}
 *              | {error: "unsupported", node, op, path, reason}
 *
 * Graphs
 *
 * In wire form (MessagePack, documented in mirage-ir, `wire`), or in text form where the table has
 * MIRAGE_FLAG_TEXT. What a plugin writes may be either. `mirage graph dump` prints the text form:
 *
 *     graph "example" {
 *       input %0 "x": f32[1,4]
 *       %1: f32[1,4] = neg(%0)
 *       output "y" = %1
 *     }
 *
 * A type is its text: f32[1,3,64,64], or f16[1,8,4,4]@[0,2,3,1] with the memory order, outermost first.
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
/* The newest wire form of graphs. A plugin may read fewer; a host asks no more of it. */
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

/* Bytes of the host; data may be null where len is 0. They may lie at any address: elements that take more than a byte
 * are to be copied out (memcpy), not read through a pointer of their type. So may the place that a function fills. */
typedef struct mirage_bytes {
    const uint8_t *data;
    size_t len;
} mirage_bytes;

/* Where a plugin writes. `write` gives 0, or not 0 where the host takes no more. */
typedef struct mirage_writer {
    void *context;
    int32_t (*write)(void *context, const uint8_t *data, size_t len);
} mirage_writer;

/* A tensor on the host's side: logical row-major elements, little endian, a bool one byte.
 *
 * The elements are lent, not copied: they are there until the function returns, and after it as long as the plugin
 * holds `owner` by mirage_host.retain. They must not be written. The struct and both texts are there until the
 * function returns. */
typedef struct mirage_tensor {
    mirage_bytes name; /* a parameter's name, else empty */
    mirage_bytes type;
    mirage_bytes data;
    const void *owner;
} mirage_tensor;

/* What the host offers; it lives as long as the process, and any thread may use it at any time. */
typedef struct mirage_host {
    uint32_t abi_version;
    uint32_t schema_version;
    uint32_t graph_version;
    uint32_t flags; /* 0 */
    size_t size;    /* sizeof(mirage_host) of the host; later hosts append */
    const void *context;
    /* Whether a message of this level would be heard. */
    int32_t (*log_enabled)(const void *context, uint32_t level);
    /* Says a message. A plugin prints nothing itself. */
    void (*log)(const void *context, uint32_t level, mirage_bytes target, mirage_bytes message);
    /* Keeps a tensor's elements alive; each call is made good by one of release. */
    void (*retain)(const void *owner);
    void (*release)(const void *owner);
} mirage_host;

/* What a plugin makes is the plugin's own business. */
typedef struct mirage_executable mirage_executable;
typedef struct mirage_buffer mirage_buffer;

/* What a plugin offers. The first five fields are the same in every version of the ABI. Functions may be
 * null: those of passes where it brings none, those of backends likewise, and those marked optional. */
typedef struct mirage_plugin_table {
    uint32_t abi_version;
    uint32_t schema_version;
    uint32_t graph_version;
    uint32_t flags;
    size_t size; /* sizeof(mirage_plugin_table) of the plugin */

    /* Writes a description. A plugin that cannot be used here fails and says why. */
    int32_t (*describe)(const mirage_writer *out);

    /* Runs the pass of this number in the description. Writes an outcome to `out`, and the graph to `graph_out`
     * if it is another. */
    int32_t (*pass_run)(uint32_t pass, mirage_bytes graph, mirage_bytes context,
                        const mirage_writer *graph_out, const mirage_writer *out);

    /* Writes devices: none, where the hardware is missing. */
    int32_t (*backend_devices)(uint32_t backend, const mirage_writer *out);
    /* Writes capabilities of a device. */
    int32_t (*backend_capabilities)(uint32_t backend, uint64_t device, const mirage_writer *out);
    /* Makes a graph executable: `count` parameters, by name. Sets `*executable` and writes a compilation. */
    int32_t (*backend_compile)(uint32_t backend, mirage_bytes graph, mirage_bytes options,
                               const mirage_tensor *params, size_t count,
                               mirage_executable **executable, const mirage_writer *out);
    void (*executable_free)(mirage_executable *executable);
    /* Optional. Writes memory. */
    int32_t (*executable_memory)(mirage_executable *executable, const mirage_writer *out);
    /* Optional. Waits until the device has done everything asked of it. */
    int32_t (*executable_synchronize)(mirage_executable *executable, const mirage_writer *out);

    /* Puts a tensor on the device, in the memory order of its type. Sets `*buffer`. */
    int32_t (*buffer_upload)(mirage_executable *executable, const mirage_tensor *tensor,
                             mirage_buffer **buffer, const mirage_writer *out);
    /* Writes all `len` bytes of a buffer: logical row-major. `data` holds zeros. */
    int32_t (*buffer_download)(mirage_executable *executable, mirage_buffer *buffer, uint8_t *data,
                               size_t len, const mirage_writer *out);
    void (*buffer_free)(mirage_buffer *buffer);

    /* Runs once: reads inputs (in the graph's sequence) and states, sets each of `outputs` to a new buffer, moves the
     * states on. After an error the states are as before and no output is set. */
    int32_t (*execute)(mirage_executable *executable, mirage_buffer *const *inputs, size_t input_count,
                       mirage_buffer **outputs, size_t output_count, const mirage_writer *out);
    /* Optional. As execute, into buffers that are there. `outputs` itself is only read. */
    int32_t (*execute_into)(mirage_executable *executable, mirage_buffer *const *inputs,
                            size_t input_count, mirage_buffer **outputs, size_t output_count,
                            const mirage_writer *out);
    /* Optional. As execute, and writes times. */
    int32_t (*profile)(mirage_executable *executable, mirage_buffer *const *inputs, size_t input_count,
                       mirage_buffer **outputs, size_t output_count, const mirage_writer *out);

    /* Optional, as the two below: a backend without them runs graphs, but sessions that keep or reset state fail. */
    int32_t (*state_export)(mirage_executable *executable, mirage_bytes name, uint8_t *data, size_t len,
                            const mirage_writer *out);
    int32_t (*state_import)(mirage_executable *executable, mirage_bytes name,
                            const mirage_tensor *tensor, const mirage_writer *out);
    /* Sets every state to zeros. */
    int32_t (*states_reset)(mirage_executable *executable, const mirage_writer *out);
} mirage_plugin_table;

/* The one function that a plugin exports. */
MIRAGE_EXPORT const mirage_plugin_table *mirage_plugin(const mirage_host *host);

#ifdef __cplusplus
}
#endif

#endif
