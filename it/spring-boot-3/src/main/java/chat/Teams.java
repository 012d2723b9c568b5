package chat;

import java.util.Map;
import java.util.Set;
import org.springframework.stereotype.Service;

/** Who may be in which room; yours asks the database. */
@Service
class Teams {
    private final Map<String, Set<String>> members = Map.of("chat:42", Set.of("ada", "bob"));

    boolean isMember(String user, String room) {
        return members.getOrDefault(room, Set.of()).contains(user);
    }
}
