# SPDX-License-Identifier: Apache-2.0
"""Print what heart.csv's columns become, computed by pandas; see README.md."""
import pandas as pd

names = "age sex cp trestbps chol fbs restecg thalach exang oldpeak slope ca thal num".split()
frame = pd.read_csv("heart.csv", header=None, names=names, na_values=["?"])
out = pd.DataFrame()
out["age"] = (frame.age - 54.4) / 9.05
for cp in [1, 2, 3, 4]:
    out["cp%d" % cp] = (frame.cp == cp).astype(float)
out["chol"] = (frame.chol - 246.7) / 51.8
out["ca"] = ((frame.ca.fillna(0.67)) - 0.67) / 0.94
for thal in [3, 6, 7]:
    out["thal%d" % thal] = (frame.thal == thal).astype(float)
out["thal_other"] = frame.thal.isna().astype(float)
for row in out.values:
    print("    {" + ", ".join("%.9gf" % v if v % 1 else "%d" % v for v in row) + "},")
print((frame.num > 0).astype(int).tolist())
