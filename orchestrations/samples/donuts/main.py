"""Make the donuts that were ordered, and print a receipt.

The recipe is this orchestration, the order a task, the donuts a task run:

    {"donuts": 12, "glaze": "maple"}

as JSON arguments orders a dozen with maple glaze.
"""

import json
import time

import wallaroo

wl = wallaroo.Client()
order = wl.task_args() if wl.in_task() else {}

with open("recipe.json") as file:
    recipe = json.load(file)

count = int(order.get("donuts", 6))
glaze = order.get("glaze", recipe["glazes"][0])
if glaze not in recipe["glazes"]:
    raise SystemExit(f"No {glaze} glaze today. We have: {', '.join(recipe['glazes'])}.")

print(f"Order: {count} donuts, {glaze} glaze.")
for number in range(1, count + 1):
    for step in recipe["steps"]:
        time.sleep(recipe["seconds_per_step"])
    print(f"  donut {number} of {count} is ready")

print(f"Receipt: {count} x {recipe['price']:.2f} = {count * recipe['price']:.2f}. Enjoy!")
