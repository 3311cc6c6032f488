-- Answers with what it was asked.
write(request.method, " ", request.path, " ", request.query, "\n")
write("from ", request.field("User-Agent") or "somebody", "\n")
write(request.body)
