# Secrets by sops-nix: one file with variables, here for a PostgreSQL server elsewhere. It holds
# TOWLINE_DATABASE_URL=postgres://towline:…@db.example.org/towline
{ config, ... }:
{
  sops.secrets."towline.env" = {
    sopsFile = ./secrets/towline.env;
    format = "dotenv";
    restartUnits = [ "towline.service" ];
  };

  services.towline = {
    enable = true;
    environmentFile = config.sops.secrets."towline.env".path;
    settings = {
      homeserver.domain = "example.org";
      permissions."@admin:example.org" = "admin";
      # The variable says it.
      database.url = null;
    };
  };
}
