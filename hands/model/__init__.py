"""The articulated hand: proportions, joints, the lifter, the fit, its errors, what is visible."""
