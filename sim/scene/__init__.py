"""The room as MuJoCo draws it: desk, textures, bystanders, bodies put in their places, pictures."""
