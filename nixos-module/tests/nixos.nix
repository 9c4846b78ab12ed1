# The options of NixOS that the module writes to or reads, and the functions of nixpkgs that it calls. A `package` is
# a folder with bin/towline in it, so that what would run when a system is built can run in the test.
{ lib, package }:
let
  inherit (lib) mkOption types;
  option =
    type: default:
    mkOption {
      inherit type;
      default = default;
    };
  set = options: types.attrsOf (types.submodule { inherit options; });
  names = option (types.listOf types.str) [ ];
  values = option (types.attrsOf types.value) { };
  freeform = mkOption {
    default = { };
    type = types.submodule {
      freeformType = types.value;
      options = { };
    };
  };
  unit = {
    description = option types.str "";
    wantedBy = names;
    requiredBy = names;
    wants = names;
    requires = names;
    partOf = names;
    before = names;
    after = names;
    reloadTriggers = option (types.listOf types.value) [ ];
    restartTriggers = option (types.listOf types.value) [ ];
  };
  homeserver = {
    enable = option types.bool false;
    settings = freeform;
  };
in
{
  pkgs = {
    stdenv.buildPlatform.canExecute = _: true;
    stdenv.hostPlatform = { };
    formats.yaml = _: {
      type = types.value;
      # All JSON is YAML.
      generate = name: value: builtins.toFile name (builtins.toJSON value);
    };
    runCommand =
      name: _: script:
      builtins.toFile name script;
    writeShellScript = name: text: builtins.toFile name "#!/bin/sh\n${text}";
    coreutils = "/usr";
    towline = {
      type = "derivation";
      outPath = package;
      meta.mainProgram = "towline";
    };
  };

  options = {
    assertions = option (types.listOf types.value) [ ];
    environment.systemPackages = option (types.listOf types.package) [ ];
    environment.etc = option (set { source = option types.path ""; }) { };
    # Of agenix and sops-nix.
    age.secrets = values;
    sops.secrets = values;
    networking.firewall.allowedTCPPorts = option (types.listOf types.int) [ ];
    systemd = {
      services = option (set (unit // { serviceConfig = values; })) { };
      sockets = option (set (unit // { listenStreams = names; })) { };
      targets = option (set unit) { };
    };
    users.users = option (set {
      isSystemUser = option types.bool false;
      group = option types.str "";
      description = option types.str "";
    }) { };
    users.groups = option (set { members = names; }) { };
    services = {
      matrix-synapse = homeserver // {
        serviceUnit = option types.str "matrix-synapse.service";
      };
      matrix-tuwunel = homeserver;
      matrix-continuwuity = homeserver;
      matrix-conduit = homeserver;
      postgresql = {
        enable = option types.bool false;
        ensureDatabases = names;
        ensureUsers = option (types.listOf types.value) [ ];
      };
      nginx = {
        enable = option types.bool false;
        virtualHosts = option (set {
          forceSSL = option types.bool false;
          enableACME = option types.bool false;
          locations = option (set {
            proxyPass = option (types.nullOr types.str) null;
            extraConfig = option types.lines "";
          }) { };
        }) { };
      };
      caddy = {
        enable = option types.bool false;
        virtualHosts = option (set { extraConfig = option types.lines ""; }) { };
      };
    };
  };
}
