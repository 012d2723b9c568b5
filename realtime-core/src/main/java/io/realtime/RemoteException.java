package io.realtime;

/** An error that the peer answered; code and message are the peer's. */
public final class RemoteException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    /** Creates an error of the peer. */
    public RemoteException(ErrorCode code, String message, boolean retryable) {
        super(code, message, retryable, null);
    }
}
