"""A model behind HTTP: SMILES in, predictions with intervals out, as JSON.

python serve_flask.py MODEL

curl -X POST localhost:8000/predict -H "Content-Type: application/json" -d '{"smiles": ["CCO"]}'
"""

from __future__ import annotations

import sys

from flask import Flask, jsonify, request

import catalase as ct


def application(path: str) -> Flask:
    model = ct.models.load(path)  # once: all threads predict with it
    if not isinstance(model, ct.models.AutoModel):
        raise TypeError(f"serve_flask: {path} holds a {type(model).__name__}; intervals need a saved AutoModel")
    app = Flask(__name__)

    @app.post("/predict")
    def predict():
        given = request.get_json(silent=True)
        if not isinstance(given, dict) or "smiles" not in given:
            return jsonify(error='predict: the body must be JSON such as {"smiles": ["CCO"]}'), 400
        try:
            found = model.predict_table(given["smiles"])
        except (TypeError, ValueError) as error:  # a sentence that names the row and says what is wrong
            return jsonify(error=str(error)), 400
        return jsonify(tasks=model.tasks, mean=found.mean.tolist(), low=found.low.tolist(), high=found.high.tolist())

    return app


if __name__ == "__main__":
    application(sys.argv[1]).run(port=8000, threaded=True)
