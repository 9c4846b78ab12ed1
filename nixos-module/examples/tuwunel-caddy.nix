# tuwunel and Caddy. The server is called example.org and is at matrix.example.org, which the two files under
# /.well-known/matrix say.
{
  services.matrix-tuwunel = {
    enable = true;
    settings.global.server_name = "example.org";
  };

  services.caddy = {
    enable = true;
    virtualHosts."https://matrix.example.org".extraConfig = ''
      reverse_proxy 127.0.0.1:6167
    '';
    virtualHosts."https://example.org".extraConfig = ''
      header /.well-known/matrix/* Access-Control-Allow-Origin *
      respond /.well-known/matrix/server `{"m.server": "matrix.example.org:443"}`
      respond /.well-known/matrix/client `{"m.homeserver": {"base_url": "https://matrix.example.org"}}`
    '';
  };

  services.towline = {
    enable = true;
    mediaBaseUrl = "https://irc.example.org";
    mediaProxy = "caddy";
    settings = {
      homeserver.url = "http://127.0.0.1:6167";
      homeserver.domain = "example.org";
      permissions."@admin:example.org" = "admin";
    };
  };
}
