{
  description = "Towline, an IRC bouncer for Matrix";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forEach = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = forEach (pkgs: rec {
        towline = pkgs.callPackage ./nixos-module/package.nix { };
        default = towline;
      });

      overlays.default = final: _: {
        towline = final.callPackage ./nixos-module/package.nix { };
      };

      # It finds the package by itself, with the overlay or without.
      nixosModules.default = ./nixos-module;

      checks = forEach (pkgs: {
        package = self.packages.${pkgs.stdenv.hostPlatform.system}.towline;
        # A machine with Synapse and an IRC server on which somebody talks.
        vm = pkgs.testers.runNixOSTest {
          imports = [ ./nixos-module/tests/vm.nix ];
          _module.args.towline = self.nixosModules.default;
        };
      });

      formatter = forEach (pkgs: pkgs.nixfmt-tree);
    };
}
