package io.realtime.client.internal.call;

import io.realtime.client.internal.callback.CallbackDispatcher;

/**
 * A message to the server that belongs to a request: an answer, an item of a stream, or the cancellation of one.
 *
 * @param index the number of an item or how many there were, or -1
 */
record CallMessage(Call call, String type, long index, String json) {
    /**
     * A request between the client and the server.
     *
     * @param era the number of the user that it belongs to
     */
    record Call(int era, String ref) {}

    long cost() {
        return CallbackDispatcher.cost(json.length());
    }
}
