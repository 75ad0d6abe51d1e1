"""Every GraphQL document we send. Each is checked against the real 2026-10 schema in tests/house."""

from __future__ import annotations

_ADDRESS = "name address1 address2 city province zip country phone"

# Addresses need level 2 of protected customer data: they are asked for only once OMS has been sent one.
_ORDER_FIELDS = f"""
    id name tags createdAt updatedAt cancelledAt displayFulfillmentStatus
    customAttributes {{ key value }}
    shippingAddress @include(if: $withAddress) {{ {_ADDRESS} }}
    returns(first: 5) {{ nodes {{ exchangeLineItems(first: 10) {{ nodes {{ lineItems {{ id }} }} }} }} }}
    fulfillmentOrders(first: 10) {{
      nodes {{ id status supportedActions {{ action }} fulfillmentHolds {{ id handle heldByRequestingApp }} }}
    }}
    lineItems(first: 50, after: $after) {{
      nodes {{ id sku quantity currentQuantity unfulfilledQuantity customAttributes {{ key value }} }}
      pageInfo {{ hasNextPage endCursor }}
    }}
"""

READ_ORDER = f"""
query ReadOrder($id: ID!, $after: String, $withAddress: Boolean!) {{
  order(id: $id) {{ {_ORDER_FIELDS} }}
}}
"""

_MARKS = "id updatedAt tags cancelledAt displayFulfillmentStatus"

ORDERS_UPDATED_SINCE = f"""
query OrdersUpdatedSince($query: String!, $after: String) {{
  orders(first: 100, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{ {_MARKS} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""

READ_MARKS = f"""
query ReadMarks($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    ... on Order {{
      {_MARKS}
      fulfillmentOrders(first: 10) {{
        nodes {{ id status supportedActions {{ action }} fulfillmentHolds {{ id handle heldByRequestingApp }} }}
      }}
      lineItems(first: 20) {{ nodes {{ id currentQuantity }} pageInfo {{ hasNextPage }} }}
    }}
  }}
}}
"""

READ_FORWARD_ORDER = f"""
query ReadForwardOrder($id: ID!, $after: String) {{
  order(id: $id) {{
    id createdAt email phone paymentGatewayNames
    shippingAddress {{ {_ADDRESS} }}
    billingAddress {{ {_ADDRESS} }}
    lineItems(first: 50, after: $after) {{
      nodes {{
        id sku currentQuantity
        originalUnitPriceSet {{ shopMoney {{ amount }} }}
        discountedUnitPriceAfterAllDiscountsSet {{ shopMoney {{ amount }} }}
      }}
      pageInfo {{ hasNextPage endCursor }}
    }}
    fulfillmentOrders(first: 1) {{ nodes {{ assignedLocation {{ location {{ id }} }} }} }}
  }}
}}
"""

READ_FULFILLMENT_ORDERS = """
query ReadFulfillmentOrders($id: ID!, $after: String) {
  order(id: $id) {
    id updatedAt cancelledAt
    fulfillmentOrders(first: 20, after: $after) {
      nodes { id status supportedActions { action } fulfillmentHolds { id handle heldByRequestingApp } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

HOLD_FULFILLMENT_ORDER = """
mutation HoldFulfillmentOrder($id: ID!, $hold: FulfillmentOrderHoldInput!) {
  fulfillmentOrderHold(id: $id, fulfillmentHold: $hold) {
    fulfillmentHold { id }
    userErrors { code field message }
  }
}
"""

# holdIds is never left out: without it Shopify releases every app's holds
RELEASE_FULFILLMENT_ORDER = """
mutation ReleaseFulfillmentOrder($id: ID!, $holdIds: [ID!]!) {
  fulfillmentOrderReleaseHold(id: $id, holdIds: $holdIds) {
    fulfillmentOrder { id }
    userErrors { code field message }
  }
}
"""

READ_LINES = """
query ReadLines($id: ID!, $after: String) {
  order(id: $id) {
    id tags updatedAt cancelledAt merchantEditable merchantEditableErrors
    lineItems(first: 50, after: $after) {
      nodes { id sku quantity currentQuantity }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

BEGIN_EDIT = """
mutation BeginEdit($id: ID!) {
  orderEditBegin(id: $id) {
    calculatedOrder {
      id
      lineItems(first: 100) {
        nodes { id sku quantity editableQuantity }
        pageInfo { hasNextPage }
      }
    }
    userErrors { field message }
  }
}
"""

SET_QUANTITY = """
mutation SetQuantity($id: ID!, $lineItemId: ID!, $quantity: Int!, $restock: Boolean) {
  orderEditSetQuantity(id: $id, lineItemId: $lineItemId, quantity: $quantity, restock: $restock) {
    calculatedLineItem { id quantity }
    userErrors { field message }
  }
}
"""

COMMIT_EDIT = """
mutation CommitEdit($id: ID!, $notifyCustomer: Boolean, $staffNote: String) {
  orderEditCommit(id: $id, notifyCustomer: $notifyCustomer, staffNote: $staffNote) {
    order { id updatedAt }
    userErrors { field message }
  }
}
"""

_TAG_ANSWER = "node { id ... on Order { tags updatedAt } } userErrors { field message }"

ADD_TAGS = f"""
mutation AddTags($id: ID!, $add: [String!]!) {{
  added: tagsAdd(id: $id, tags: $add) {{ {_TAG_ANSWER} }}
}}
"""

REMOVE_TAGS = f"""
mutation RemoveTags($id: ID!, $remove: [String!]!) {{
  removed: tagsRemove(id: $id, tags: $remove) {{ {_TAG_ANSWER} }}
}}
"""

# One round trip, in order but not atomic: the tag that lifts the hold comes last.
SWAP_TAGS = f"""
mutation SwapTags($id: ID!, $add: [String!]!, $remove: [String!]!) {{
  added: tagsAdd(id: $id, tags: $add) {{ {_TAG_ANSWER} }}
  removed: tagsRemove(id: $id, tags: $remove) {{ {_TAG_ANSWER} }}
}}
"""

READ_CANCELLATION = """
query ReadCancellation($id: ID!) {
  order(id: $id) { id tags updatedAt cancelledAt displayFulfillmentStatus }
}
"""

CANCEL_ORDER = """
mutation CancelOrder(
  $id: ID!, $reason: OrderCancelReason!, $restock: Boolean!,
  $refundMethod: OrderCancelRefundMethodInput, $notifyCustomer: Boolean, $staffNote: String
) {
  orderCancel(
    orderId: $id, reason: $reason, restock: $restock,
    refundMethod: $refundMethod, notifyCustomer: $notifyCustomer, staffNote: $staffNote
  ) {
    jobResult { id done status errors { code field message } }
    orderCancelUserErrors { code field message }
  }
}
"""

READ_CANCEL_JOB = """
query ReadCancelJob($id: ID!) {
  node(id: $id) { ... on OrderCancelJobResult { id done status errors { code field message } } }
}
"""

READ_ORDER_OF = """
query ReadOrderOf($id: ID!) {
  node(id: $id) {
    ... on FulfillmentOrder { order { id } }
    ... on Return { order { id } }
  }
}
"""

READ_APP = """
query ReadApp {
  currentAppInstallation { accessScopes { handle } }
}
"""

DOCUMENTS = {
    "READ_APP": READ_APP,
    "READ_ORDER_OF": READ_ORDER_OF,
    "READ_ORDER": READ_ORDER,
    "ORDERS_UPDATED_SINCE": ORDERS_UPDATED_SINCE,
    "READ_MARKS": READ_MARKS,
    "READ_FORWARD_ORDER": READ_FORWARD_ORDER,
    "READ_FULFILLMENT_ORDERS": READ_FULFILLMENT_ORDERS,
    "HOLD_FULFILLMENT_ORDER": HOLD_FULFILLMENT_ORDER,
    "RELEASE_FULFILLMENT_ORDER": RELEASE_FULFILLMENT_ORDER,
    "READ_LINES": READ_LINES,
    "BEGIN_EDIT": BEGIN_EDIT,
    "SET_QUANTITY": SET_QUANTITY,
    "COMMIT_EDIT": COMMIT_EDIT,
    "ADD_TAGS": ADD_TAGS,
    "REMOVE_TAGS": REMOVE_TAGS,
    "SWAP_TAGS": SWAP_TAGS,
    "READ_CANCELLATION": READ_CANCELLATION,
    "CANCEL_ORDER": CANCEL_ORDER,
    "READ_CANCEL_JOB": READ_CANCEL_JOB,
}
