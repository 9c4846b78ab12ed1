# The way in for people on IRC who open a link: a web server in front of Towline's port for files and long texts.
{ config, lib, ... }:
let
  inherit (lib) mkIf;
  cfg = config.services.towline;
  parts = builtins.match "https://([^/:]+)(/.*[^/])?/?" cfg.mediaBaseUrl;
  host = builtins.elemAt parts 0;
  path = if builtins.elemAt parts 1 == null then "" else builtins.elemAt parts 1;
  port = "http://${cfg.settings.media.listen or "127.0.0.1:9010"}";
  isProxy = name: cfg.enable && cfg.mediaProxy == name && cfg.mediaBaseUrl != null;
in
{
  config = lib.mkMerge [
    (mkIf cfg.enable {
      assertions = [
        {
          assertion = cfg.mediaProxy != null -> cfg.mediaBaseUrl != null && parts != null;
          message = "services.towline.mediaProxy needs a mediaBaseUrl that is https:// and a host, with a path or without.";
        }
      ];
      services.towline.settings = mkIf (cfg.mediaBaseUrl != null) { media.base_url = cfg.mediaBaseUrl; };
    })
    (mkIf (isProxy "nginx") {
      services.nginx.enable = true;
      services.nginx.virtualHosts.${host} = {
        forceSSL = lib.mkDefault true;
        enableACME = lib.mkDefault true;
        locations."${path}/" = {
          proxyPass = port;
          # The link is all that is needed to open it.
          extraConfig = "access_log off;";
        };
      };
    })
    (mkIf (isProxy "caddy") {
      services.caddy.enable = true;
      services.caddy.virtualHosts."https://${host}".extraConfig = ''
        handle ${path}/* {
          reverse_proxy ${port}
        }
      '';
    })
  ];
}
