"""Tables of runs that an older version began."""

import csv

from motionrep.training.run_folder import EpochTable


def test_the_table_of_a_run_that_0_1_0_began_goes_on_in_todays_units(tmp_path):
    """It counted epochs from 0 and had accelerations in mm/s^2."""
    (tmp_path / "metrics.csv").write_text(
        "epoch,step,train_loss,val_accel_error,val_pose3d_accel_error,val_mpjpe\n"
        "0,5,0.5,,,\n0,5,,4000.0,5000.0,60.0\n1,10,,3000.0,4500.0,50.0\n"
    )
    EpochTable(tmp_path, finished=1).log_metrics({"epoch": 1, "val_accel_error": 2.5}, step=10)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "1", "2"]
    assert [row["val_accel_error"] for row in rows] == ["", "4.0", "2.5"]
    assert rows[1]["val_pose3d_accel_error"] == "5.0"
    assert rows[1]["val_mpjpe"] == "60.0"
