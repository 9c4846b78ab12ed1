# Secrets by agenix: each in a file of its own, which systemd reads as root and hands to Towline.
{ config, ... }:
{
  age.secrets.libera-password.file = ./secrets/libera-password.age;
  age.secrets.towline-key.file = ./secrets/towline-key.age;

  services.towline = {
    enable = true;
    credentials = {
      libera-password = config.age.secrets.libera-password.path;
      "towline.key" = config.age.secrets.towline-key.path;
    };
    settings = {
      homeserver.domain = "example.org";
      permissions."@admin:example.org" = "admin";
      # Names among the credentials.
      secret_key_file = "towline.key";
      networks.libera.password_file = "libera-password";
    };
  };
}
