"""Films of episodes, with what is planned, told and done beside the picture."""
