"""MediaPipe's BlazePose in torch, with its weights."""
