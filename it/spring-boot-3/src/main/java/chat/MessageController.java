package chat;

import io.realtime.server.RealtimeServer;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

@RestController
class MessageController {
    private final RealtimeServer realtime;

    MessageController(RealtimeServer realtime) {
        this.realtime = realtime;
    }

    @PostMapping("/rooms/{room}/messages")
    void post(@PathVariable String room, @RequestBody Chat.Text text) {
        realtime.connections().room(room).send(Chat.SAID, text); // from any thread, to all who are in the room
    }
}
