# SPDX-License-Identifier: Apache-2.0
"""The live view: what a running team senses, believes and sends, drawn with Rerun.

`listener` hears ROS topics and keeps what they say in a `scene`. Several times a second `drawing`
lets each part draw what is there: `arena`, `sensors`, `beliefs`, `latent`, `traffic`; `layout` says
where on the screen. Nothing but these knows Rerun, and none of it knows which modalities there are.
"""
