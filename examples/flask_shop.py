"""A shop in Flask that writes to its customers' chats, beside a chatcore server on the same MongoDB database.

    pip install flask '.[mongo]'     # in a clone of chatcore
    SHOP_STORE=mongodb://localhost/chat python flask_shop.py 5000

Flask does not await: `Blocking` runs the Chat in a thread of its own, and every request calls it. The message's key is
made from the order, so a request that is repeated sends no second message.
"""

import os
import sys

from flask import Flask, Response, jsonify, request

from chatcore import Blocking, Chat, ChatError, History, Message, SendMessage
from chatcore_mongo import MongoStore


def shop(chat: Blocking) -> Flask:
    app = Flask(__name__)

    @app.post("/orders/<order>/shipment")
    def ship(order: str) -> Response:
        text = f"Order {order} is on its way."
        message = SendMessage(to=request.form["customer"], body=text, key=f"shipped {order}")
        sent = chat.execute("shop", message, trusted=True)
        return jsonify(room=sent.room, seq=sent.seq, duplicate=sent.duplicate)

    @app.get("/customers/<customer>/messages")
    def messages(customer: str) -> Response:
        page = chat.execute("shop", History(peer=customer, messages_only=True))
        events = [(entry.author, entry.event) for entry in page.entries]
        return jsonify([f"{author}: {event.body}" for author, event in events if isinstance(event, Message)])

    @app.errorhandler(ChatError)
    def refused(error: ChatError) -> tuple[Response, int]:
        return jsonify(code=error.code, message=error.message), 503 if error.temporary else 400

    return app


if __name__ == "__main__":
    with Blocking(Chat(MongoStore(os.environ["SHOP_STORE"]))) as entered:
        shop(entered).run(port=int(sys.argv[1]))
