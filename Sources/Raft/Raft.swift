// essay
