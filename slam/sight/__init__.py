"""From pictures to rays: corners followed, keyframes, two views, a camera placed among points."""
