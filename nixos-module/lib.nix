# What the parts of the module share.
{ lib }:
let
  # The keys of the configuration that hold a secret; a test compares them with Towline's own table.
  secretKeys = [
    "as_token"
    "hs_token"
    "password"
  ];

  walk =
    path: value:
    if builtins.isAttrs value && !(value ? outPath) then
      lib.concatLists (
        lib.mapAttrsToList (
          name: inner:
          if builtins.elem name secretKeys && inner != null then
            [ (lib.concatStringsSep "." (path ++ [ name ])) ]
          else
            walk (path ++ [ name ]) inner
        ) value
      )
    else if builtins.isList value then
      lib.concatMap (walk path) value
    else
      [ ];

  # `postgres://user:password@host/`, or a parameter of that name.
  hasPassword =
    url:
    url != null
    && (
      builtins.match "[a-z]+://[^/@]*:[^/]*@.*" url != null
      || builtins.match ".*[?&]password=.*" url != null
    );
in
{
  inherit secretKeys;

  # The paths of the settings that are secrets.
  secretsIn =
    settings:
    walk [ ] settings ++ lib.optional (hasPassword (settings.database.url or null)) "database.url";

  # What was not said is not written.
  withoutNulls =
    let
      clean =
        value:
        if builtins.isAttrs value && !(value ? outPath) then
          lib.mapAttrs (_: clean) (lib.filterAttrs (_: inner: inner != null) value)
        else if builtins.isList value then
          map clean value
        else
          value;
    in
    clean;

  # The settings without those that Towline takes from the file while it runs: what a restart is for. A test compares them
  # with Towline's own words.
  needingRestart =
    settings:
    removeAttrs settings [
      "excluded"
      "limits"
      "log"
      "networks"
      "own_networks"
      "permissions"
      "plumb"
      "policy_lists"
      "presets"
      "settings"
    ]
    // {
      inbox_body = settings.limits.inbox_body or null;
      log_format = settings.log.format or null;
    };

  # What a process can do without that talks to a network and writes into its own folder.
  sandbox = {
    AmbientCapabilities = "";
    CapabilityBoundingSet = "";
    DeviceAllow = "";
    DevicePolicy = "closed";
    KeyringMode = "private";
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    NoNewPrivileges = true;
    PrivateDevices = true;
    PrivateTmp = true;
    PrivateUsers = true;
    ProcSubset = "pid";
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProtectSystem = "strict";
    RemoveIPC = true;
    RestrictAddressFamilies = [
      "AF_INET"
      "AF_INET6"
      "AF_UNIX"
    ];
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    SystemCallErrorNumber = "EPERM";
    SystemCallFilter = [
      "@system-service"
      "~@privileged @resources"
    ];
    UMask = "0077";
  };
}
