# services.towline: Towline, an IRC bouncer for Matrix, on NixOS.
#
# No secret passes through the store: options that name secrets' files take no Nix paths, and `settings` with a secret
# in them are refused. tests/run shows what holds; docs/nixos.md says how to use it.
{
  imports = [
    ./options.nix
    ./service.nix
    ./registration.nix
    ./proxy.nix
  ];
}
